"""What stays of a conversation that is too long, counted by hand with the byte-level tokenizer."""

import pytest

from turnabout.core.messages import Message
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.truncation import fit_prompt

SAID: list[Message] = [
    {"role": "system", "content": "s"},  # 1 + 7 + 1 + 2 = 11 tokens
    {"role": "user", "content": "u"},  # 1 + 5 + 1 + 2 = 9
    {"role": "assistant", "content": "a"},  # 1 + 10 + 1 + 2 = 14
]


# With "<start>user\n", 6 tokens, the whole is 40.
@pytest.mark.parametrize(("most", "kept"), [(40, "sua"), (39, "sa"), (31, "sa"), (1, "sa")])
def test_the_oldest_go_first_and_the_intent_stays(user_model: Checkpoint, most: int, kept: str) -> None:
    fitted = fit_prompt(user_model.chat, SAID, "user", most)
    assert "".join(message["content"] for message in fitted) == kept
    if most >= 31:
        assert len(user_model.chat.encode_prompt(fitted, "user")) <= most
