"""Guards on simulated user turns: what a person would not write is drawn again, and every fault is counted.

The guards of Naous et al. 2025 (Appendix C.1), used in simulation only, never where a model is measured. Leaving early
is forbidden at the source (`Sampling.may_end`). A forbidden first word is drawn again like any other fault, which comes
to what the paper does: its probability set to 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

from turnabout.generation import Completion, Sampling
from turnabout.intents.wording import PREFIX
from turnabout.simulation.users import Situation, User

#: Every reason to refuse a turn.
FAULTS = ("too short", "too long", "forbidden opening", "repeats itself", "copies the intent")

#: Words up to which one text may stand in another: short answers come back by themselves.
SHORT = 3


class Guarded(NamedTuple):
    """A user turn after its guards: how often it was drawn again, and the faults of every draw that was refused."""

    turn: Completion
    resamples: int
    faults: list[str]


class UserGuard(NamedTuple):
    """The window of words a turn must lie in, how often a bad draw is repeated, and first words it may not have."""

    min_words: int
    max_words: int
    max_resamples: int
    forbidden_openings: tuple[str, ...] = ()
    """Case sensitive; the paper's are I, You and Here. `I` also forbids `I'm`."""

    def speak(self, user: User, situations: Sequence[Situation], sampling: Sampling) -> list[Guarded]:
        """The user's next turns. Where all draws are at fault, the shortest with words stands, its faults on record."""
        draws: list[list[Completion]] = [[] for _ in situations]
        faults: list[list[str]] = [[] for _ in situations]
        open_turns = list(range(len(situations)))
        for attempt in range(self.max_resamples + 1):
            drawn = user.speak(
                [situations[i] for i in open_turns], sampling._replace(seed=sampling.seed + 7919 * attempt)
            )
            for i, turn in zip(open_turns, drawn, strict=True):
                found = self.fault(turn, situations[i])
                draws[i].append(turn)
                faults[i] += [found] if found else []
            open_turns = [i for i in open_turns if len(faults[i]) == len(draws[i])]
            if not open_turns:
                break
        return [
            Guarded(_shortest(drawn) if len(found) == len(drawn) else drawn[-1], len(drawn) - 1, found)
            for drawn, found in zip(draws, faults, strict=True)
        ]

    def fault(self, turn: Completion, situation: Situation) -> str | None:
        """Which of `FAULTS` speaks against a person having written this turn, or None. Leaving wordless is no fault."""
        text = _folded(turn.text)
        if turn.ended and not text:
            return None
        if len(text.split()) < self.min_words:
            return "too short"
        if turn.truncated or len(text.split()) > self.max_words:
            return "too long"
        if _first_word(turn.text) in self.forbidden_openings:
            return "forbidden opening"
        earlier = [m["content"] for m in situation.history if m["role"] == "user"]
        if any(_copies(text, _folded(said)) for said in earlier):
            return "repeats itself"
        if any(_copies(text, _folded(told)) for told in _tellings(situation.intent)):
            return "copies the intent"
        return None


def _shortest(draws: Sequence[Completion]) -> Completion:
    """The draw with the fewest words, but with some; the last one where none has any."""
    spoken = [turn for turn in draws if turn.text.strip()]
    return min(spoken, key=lambda turn: len(turn.text.split()), default=draws[-1])


def _first_word(text: str) -> str:
    """The first word up to an apostrophe."""
    return (text.replace("’", "'").split() or [""])[0].partition("'")[0].strip(",.!?:;")


def _tellings(intent: str) -> list[str]:
    """The intent, and what it is about alone, where it begins as ours do."""
    return [intent, intent.removeprefix(PREFIX).rstrip(".")]


def _copies(text: str, other: str) -> bool:
    """Whether they are equal, or one of more than `SHORT` words stands in the other."""
    if text == other:
        return True
    shorter, longer = sorted((text, other), key=len)
    return len(shorter.split()) > SHORT and shorter in longer


def _folded(text: str) -> str:
    """Lower case, white space folded."""
    return " ".join(text.lower().split())
