"""The checklist judge: what this very user asked for decides (WildFeedback, Shi et al. 2024, checklist evaluation)."""

from collections.abc import Sequence

from turnabout.generation.base import Generator
from turnabout.judging import plain
from turnabout.judging.base import Duel, Judging
from turnabout.prompting.fencing import data

WISHES = """\
This user has wishes of their own, part of the record:
{wishes}
Go through them one by one: the reply that meets more of them is better, whatever else you would prefer."""


def tell(judge: Generator, duels: Sequence[Duel], how: Judging) -> list[str]:
    """The record of each duel with the user's wishes; a duel without any is told as the plain judge is."""
    without = plain.tell(judge, duels, how)
    return [
        f"{plain.record(duel, how)}\n{WISHES.format(wishes=data('wishes', duel.checklist))}" if duel.checklist else told
        for duel, told in zip(duels, without, strict=True)
    ]
