"""First messages: whose they are, how long they may be, and what models are told."""

from pathlib import Path

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.first_turns import first_turns
from turnabout.models.checkpoints import Checkpoint, load


def samples(*openers: tuple[str, str]) -> pl.DataFrame:
    """Conversations of an opening and the person's answer; of a branch the opening is not learnt."""
    rows = [
        {
            "conversation_id": f"c{i}",
            "user_key": f"u{i}",
            "split": "test",
            "intent": f"Intent {i}.",
            "messages": [{"role": role.removeprefix("branch "), "content": text}, {"role": "user", "content": "go on"}],
            "target_indexes": [0, 1] if role == "user" else [1],
            "ends": False,
        }
        for i, (role, text) in enumerate(openers)
    ]
    return pl.DataFrame(rows, schema=schemas.USER_SAMPLES)


class Recorded(LocalGenerator):
    """Writes its number of prompts so far, and keeps what it was asked."""

    def __init__(self, checkpoint: Checkpoint, speaks: str) -> None:
        super().__init__(checkpoint, speaks, 2)  # type: ignore[arg-type]
        self.asked: list[tuple[list[Message], Sampling]] = []

    def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
        self.asked += [(list(prompt), sampling) for prompt in prompts]
        return [Completion(f"written {i}") for i in range(len(prompts))]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint, "float32")


def test_only_conversations_that_the_person_opened_count_and_no_branches(checkpoint: Checkpoint) -> None:
    user, actor = Recorded(checkpoint, "user"), Recorded(checkpoint, "assistant")
    table = samples(("assistant", "welcome"), ("user", "hi"), ("branch user", "hi"), ("user", "hello"), ("user", "hey"))
    found = first_turns({"trained": user, "prompted": actor}, table, 2, 9, 5)
    assert (found.users, found.intents) == (["u1", "u3"], ["Intent 1.", "Intent 3."])
    assert found.texts == {
        "human": ["hi", "hello"],
        "trained": ["written 0", "written 1"],
        "prompted": ["written 0", "written 1"],
    }
    prompt, sampling = user.asked[0]
    assert prompt == [{"role": "system", "content": "Intent 1."}]
    assert sampling == Sampling(9, 1.0, 0.8, 5, may_end=False)
    assert [m["role"] for m in actor.asked[0][0]] == ["system", "user"]
    assert actor.asked[0][0][0]["content"].startswith("Intent 1. Write only your next short message")


def test_people_are_cut_to_the_tokens_that_models_may_write(checkpoint: Checkpoint) -> None:
    found = first_turns(
        {"trained": Recorded(checkpoint, "user")}, samples(("user", "abcdef"), ("user", "abc")), 2, 4, 5
    )
    assert found.texts["human"] == ["abcd", "abc"]  # tokens are bytes
