"""Guards on simulated turns: faults, draws and the final turn."""

from collections.abc import Sequence

import pytest

from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.intents.wording import PREFIX
from turnabout.simulation.guards import FAULTS, UserGuard
from turnabout.simulation.users import Situation

HISTORY: list[Message] = [
    {"role": "user", "content": "tell me of the old trains"},
    {"role": "assistant", "content": "gladly"},
    {"role": "user", "content": "ok"},
]


class Lines:
    """Writes its lines one after another."""

    name = "lines"

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.seeds: list[int] = []

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        self.seeds.append(sampling.seed)
        return [Completion(self.lines.pop(0)) for _ in situations]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("I want this", "forbidden opening"),
        ("I’m here", "forbidden opening"),
        ("Here, look", "forbidden opening"),
        ("i want this", None),  # case sensitive, like the paper's filter on tokens
        ("It is late", None),
        ("TELL me  of the old trains", "repeats itself"),
        ("me of the old", "repeats itself"),  # part of an earlier message
        ("well, tell me of the old trains then", "repeats itself"),  # contains an earlier message
        ("ok", "repeats itself"),
        ("ok then", None),  # short answers may be repeated inside longer ones
        ("the best old trains of Wales", "copies the intent"),
        ("so the best old trains of Wales please", "copies the intent"),
        ("old trains", None),
    ],
)
def test_find_fault_names_the_fault(text: str, fault: str | None) -> None:
    guard = UserGuard(1, 10, 0, ("I", "You", "Here"))
    assert guard.find_fault(Completion(text), Situation(f"{PREFIX}the best old trains of Wales.", HISTORY)) == fault
    assert fault is None or fault in FAULTS


def test_all_openings_are_allowed_by_default() -> None:
    assert UserGuard(1, 10, 0).find_fault(Completion("I want this"), Situation("x", [])) is None


def test_guard_resamples_with_new_seeds_until_a_turn_has_no_fault() -> None:
    user = Lines("too many words by far", "", "fine", "unused")
    [guarded] = UserGuard(1, 3, 5).speak(user, [Situation("x", [])], Sampling(9, seed=4))
    assert (guarded.turn.text, guarded.resamples, guarded.faults) == ("fine", 2, ["too long", "too short"])
    assert len(set(user.seeds)) == 3


def test_guard_returns_shortest_nonempty_draw_if_all_have_faults() -> None:
    user = Lines("one two three four five", "one two three four", "")
    [guarded] = UserGuard(1, 3, 2).speak(user, [Situation("x", [])], Sampling(9))
    assert (guarded.turn.text, guarded.resamples) == ("one two three four", 2)
    assert guarded.faults == ["too long", "too long", "too short"]
    [silent] = UserGuard(1, 3, 0).speak(Lines(""), [Situation("x", [])], Sampling(9))
    assert (silent.turn.text, silent.faults) == ("", ["too short"])


def test_guard_resamples_only_turns_with_a_fault() -> None:
    user = Lines("good", "far too many words", "better")
    turns = UserGuard(1, 2, 1).speak(user, [Situation("x", []), Situation("y", [])], Sampling(9))
    assert [(guarded.turn.text, guarded.resamples) for guarded in turns] == [("good", 0), ("better", 1)]
