"""Guards on simulated user turns: what a person would not write is drawn again, and every fault is counted.

The length window and the verbatim filter of Naous et al. 2025 (Appendix C.1), used in simulation only. Leaving before
anything was said is forbidden at the source (`Sampling.may_end`), not here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from turnabout.generation import Completion, Sampling
from turnabout.simulation.users import Situation, User


class Guarded(NamedTuple):
    """A user turn after its guards: how often it was drawn again, and the faults of every draw that was refused."""

    turn: Completion
    resamples: int
    faults: list[str]


class UserGuard(NamedTuple):
    """The window of words a turn must lie in, and how often a bad draw is repeated."""

    min_words: int
    max_words: int
    max_resamples: int

    def speak(self, user: User, situations: Sequence[Situation], sampling: Sampling) -> list[Guarded]:
        """The user's next turns. A turn that is still at fault after the last draw stands, its fault on record."""
        results = [Guarded(Completion(""), -1, []) for _ in situations]
        open_turns = list(range(len(situations)))
        for attempt in range(self.max_resamples + 1):
            drawn = user.speak(
                [situations[i] for i in open_turns], sampling._replace(seed=sampling.seed + 7919 * attempt)
            )
            for i, turn in zip(open_turns, drawn, strict=True):
                found = self.fault(turn, situations[i])
                faults = [*results[i].faults, *([found] if found else [])]
                results[i] = Guarded(turn, attempt, faults)
            open_turns = [i for i in open_turns if self.fault(results[i].turn, situations[i])]
            if not open_turns:
                break
        return results

    def fault(self, turn: Completion, situation: Situation) -> str | None:
        """Why a person would not have written this turn, or None. Leaving without a word is no fault."""
        text = _folded(turn.text)
        if turn.ended and not text:
            return None
        if len(text.split()) < self.min_words:
            return "too short"
        if turn.truncated or len(text.split()) > self.max_words:
            return "too long"
        earlier = [_folded(m["content"]) for m in situation.history if m["role"] == "user"]
        if text in earlier:
            return "repeats itself"
        if len(text.split()) > 3 and text in _folded(situation.intent):
            return "copies the intent"
        return None


def _folded(text: str) -> str:
    """Lower case, white space folded."""
    return " ".join(text.lower().split())
