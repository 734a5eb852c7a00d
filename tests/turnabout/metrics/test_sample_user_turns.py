"""First messages: their users, their lengths, and the prompts of the models."""

from pathlib import Path

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.sample_user_turns import collect_first_turns
from turnabout.models.checkpoints import Checkpoint, load_checkpoint


def samples(*openers: tuple[str, str]) -> pl.DataFrame:
    """Build conversations of an opening and a user message.

    The opening of a branch is not a training target.
    """
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


class RecordingGenerator(LocalGenerator):
    """Numbers its completions and records its prompts."""

    def __init__(self, checkpoint: Checkpoint, speaks: str) -> None:
        super().__init__(checkpoint, speaks, 2)  # type: ignore[arg-type]
        self.asked: list[tuple[list[Message], Sampling]] = []

    def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
        self.asked += [(list(prompt), sampling) for prompt in prompts]
        return [Completion(f"written {i}") for i in range(len(prompts))]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def test_first_turns_skip_assistant_openings_and_branches(checkpoint: Checkpoint) -> None:
    user_model, actor = RecordingGenerator(checkpoint, "user"), RecordingGenerator(checkpoint, "assistant")
    table = samples(("assistant", "welcome"), ("user", "hi"), ("branch user", "hi"), ("user", "hello"), ("user", "hey"))
    first_turns = collect_first_turns(
        {"trained": user_model, "prompted": actor}, table, max_conversations=2, max_new_tokens=9, seed=5
    )
    assert (first_turns.users, first_turns.intents) == (["u1", "u3"], ["Intent 1.", "Intent 3."])
    assert first_turns.texts == {
        "human": ["hi", "hello"],
        "trained": ["written 0", "written 1"],
        "prompted": ["written 0", "written 1"],
    }
    prompt, sampling = user_model.asked[0]
    assert prompt == [{"role": "system", "content": "Intent 1."}]
    assert sampling == Sampling(9, 1.0, 0.8, 5, may_end=False)
    assert [m["role"] for m in actor.asked[0][0]] == ["system", "user"]
    assert actor.asked[0][0][0]["content"].startswith("Intent 1. Write only your next message")


def test_human_messages_are_cut_to_max_new_tokens(checkpoint: Checkpoint) -> None:
    first_turns = collect_first_turns(
        {"trained": RecordingGenerator(checkpoint, "user")},
        samples(("user", "abcdef"), ("user", "abc")),
        max_conversations=2,
        max_new_tokens=4,
        seed=5,
    )
    assert first_turns.texts["human"] == ["abcd", "abc"]  # tokens are bytes
