"""Guards on simulated user turns: a turn with a fault is sampled again.

Every fault is counted. These are the guards of Naous et al. 2025 (Appendix C.1), used only in simulation, never where
a model is measured. Ending a conversation early is prevented in sampling (`Sampling.may_end`). A forbidden first word
is sampled again like any other fault, which is equivalent to the paper's method: its probability is set to 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

from turnabout.generation import Completion, Sampling
from turnabout.intents.wording import PREFIX
from turnabout.simulation.users import Situation, User

#: All faults for which a turn is refused.
FAULTS = ("too short", "too long", "forbidden opening", "repeats itself", "copies the intent")

#: A text of at most this many words may be part of another one: people repeat short answers.
SHORT_WORDS = 3


class GuardedTurn(NamedTuple):
    """A user turn after its guards."""

    turn: Completion
    resamples: int
    """How many times it was sampled again."""
    faults: list[str]
    """The fault of every refused draw."""


class UserGuard(NamedTuple):
    """Limits on the words of a turn and on how often it is sampled again."""

    min_words: int
    max_words: int
    max_resamples: int
    forbidden_openings: tuple[str, ...] = ()
    """First words, case sensitive; the paper's are I, You and Here. `I` also forbids `I'm`."""

    def speak(self, user: User, situations: Sequence[Situation], sampling: Sampling) -> list[GuardedTurn]:
        """Sample the user's next turns and replace those with a fault.

        If every draw of a turn has a fault, the shortest draw that has words is returned, with all faults.
        """
        draws: list[list[Completion]] = [[] for _ in situations]
        faults: list[list[str]] = [[] for _ in situations]
        open_turns = list(range(len(situations)))
        for attempt in range(self.max_resamples + 1):
            turns = user.speak(
                [situations[i] for i in open_turns], sampling._replace(seed=sampling.seed + 7919 * attempt)
            )
            for i, turn in zip(open_turns, turns, strict=True):
                fault = self.find_fault(turn, situations[i])
                draws[i].append(turn)
                if fault:
                    faults[i].append(fault)
            open_turns = [i for i in open_turns if len(faults[i]) == len(draws[i])]
            if not open_turns:
                break
        guarded = []
        for turn_draws, turn_faults in zip(draws, faults, strict=True):
            all_faulty = len(turn_faults) == len(turn_draws)
            turn = _choose_shortest(turn_draws) if all_faulty else turn_draws[-1]
            guarded.append(GuardedTurn(turn, resamples=len(turn_draws) - 1, faults=turn_faults))
        return guarded

    def find_fault(self, turn: Completion, situation: Situation) -> str | None:
        """Return the first of `FAULTS` that the turn has, or None.

        An empty turn that ends the conversation is no fault.
        """
        text = _normalize(turn.text)
        if turn.ended and not text:
            return None
        if len(text.split()) < self.min_words:
            return "too short"
        if turn.truncated or len(text.split()) > self.max_words:
            return "too long"
        if _first_word(turn.text) in self.forbidden_openings:
            return "forbidden opening"
        earlier = [message["content"] for message in situation.history if message["role"] == "user"]
        if any(_is_copy(text, _normalize(message)) for message in earlier):
            return "repeats itself"
        if any(_is_copy(text, _normalize(phrase)) for phrase in _intent_phrases(situation.intent)):
            return "copies the intent"
        return None


def _choose_shortest(draws: Sequence[Completion]) -> Completion:
    """Return the shortest draw that has words, else the last draw."""
    nonempty = [turn for turn in draws if turn.text.strip()]
    return min(nonempty, key=lambda turn: len(turn.text.split()), default=draws[-1])


def _first_word(text: str) -> str:
    """Return the first word up to an apostrophe."""
    return (text.replace("’", "'").split() or [""])[0].partition("'")[0].strip(",.!?:;")


def _intent_phrases(intent: str) -> list[str]:
    """Return the intent, with and without the prefix of our intents."""
    return [intent, intent.removeprefix(PREFIX).rstrip(".")]


def _is_copy(text: str, other: str) -> bool:
    """Return whether the texts are equal, or one is part of the other.

    A part must have more than `SHORT_WORDS` words.
    """
    if text == other:
        return True
    shorter, longer = sorted((text, other), key=len)
    return len(shorter.split()) > SHORT_WORDS and shorter in longer


def _normalize(text: str) -> str:
    """Return the text in lower case, with runs of white space as one space."""
    return " ".join(text.lower().split())
