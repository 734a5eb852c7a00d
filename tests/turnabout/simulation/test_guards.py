"""Guards on simulated turns: each rule on a turn of its own, the window of draws, and what stands in the end."""

from collections.abc import Sequence

import pytest

from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.intents.wording import PREFIX
from turnabout.simulation.guards import FAULTS, UserGuard
from turnabout.simulation.users import Situation

SAID: list[Message] = [
    {"role": "user", "content": "tell me of the old trains"},
    {"role": "assistant", "content": "gladly"},
    {"role": "user", "content": "ok"},
]


class Lines:
    """Says one line after another, whoever is asked."""

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
        ("i want this", None),  # as the filter on tokens: other letters, another token
        ("It is late", None),
        ("TELL me  of the old trains", "repeats itself"),
        ("me of the old", "repeats itself"),  # stands in an earlier message
        ("well, tell me of the old trains then", "repeats itself"),  # an earlier message stands in it
        ("ok", "repeats itself"),
        ("ok then", None),  # short answers may come back inside longer ones
        ("the best old trains of Wales", "copies the intent"),
        ("so the best old trains of Wales please", "copies the intent"),
        ("old trains", None),
    ],
)
def test_each_rule_names_its_fault(text: str, fault: str | None) -> None:
    guard = UserGuard(1, 10, 0, ("I", "You", "Here"))
    assert guard.fault(Completion(text), Situation(f"{PREFIX}the best old trains of Wales.", SAID)) == fault
    assert fault is None or fault in FAULTS


def test_openings_are_free_unless_somebody_forbids_them() -> None:
    assert UserGuard(1, 10, 0).fault(Completion("I want this"), Situation("x", [])) is None


def test_every_draw_has_another_seed_and_stops_at_the_first_good_one() -> None:
    user = Lines("too many words by far", "", "fine", "unused")
    [said] = UserGuard(1, 3, 5).speak(user, [Situation("x", [])], Sampling(9, seed=4))
    assert (said.turn.text, said.resamples, said.faults) == ("fine", 2, ["too long", "too short"])
    assert len(set(user.seeds)) == 3


def test_where_every_draw_is_at_fault_the_shortest_with_words_stands() -> None:
    user = Lines("one two three four five", "one two three four", "")
    [said] = UserGuard(1, 3, 2).speak(user, [Situation("x", [])], Sampling(9))
    assert (said.turn.text, said.resamples) == ("one two three four", 2)
    assert said.faults == ["too long", "too long", "too short"]
    [silent] = UserGuard(1, 3, 0).speak(Lines(""), [Situation("x", [])], Sampling(9))
    assert (silent.turn.text, silent.faults) == ("", ["too short"])


def test_only_those_at_fault_are_drawn_again() -> None:
    user = Lines("good", "far too many words", "better")
    found = UserGuard(1, 2, 1).speak(user, [Situation("x", []), Situation("y", [])], Sampling(9))
    assert [(said.turn.text, said.resamples) for said in found] == [("good", 0), ("better", 1)]
