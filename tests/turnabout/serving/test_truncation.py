"""Truncated conversations, with tokens counted by hand (one per byte)."""

import pytest

from turnabout.core.messages import Message
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.truncation import fit_prompt

CONVERSATION: list[Message] = [
    {"role": "system", "content": "s"},  # 1 + 7 + 1 + 2 = 11 tokens
    {"role": "user", "content": "u"},  # 1 + 5 + 1 + 2 = 9
    {"role": "assistant", "content": "a"},  # 1 + 10 + 1 + 2 = 14
]


# With "<start>user\n", 6 tokens, the whole is 40.
@pytest.mark.parametrize(("max_tokens", "kept"), [(40, "sua"), (39, "sa"), (31, "sa"), (1, "sa")])
def test_fit_prompt_drops_the_oldest_messages_and_keeps_the_intent(
    user_model: Checkpoint, max_tokens: int, kept: str
) -> None:
    fitted = fit_prompt(user_model.chat, CONVERSATION, "user", max_tokens)
    assert "".join(message["content"] for message in fitted) == kept
    if max_tokens >= 31:
        assert len(user_model.chat.encode_prompt(fitted, "user")) <= max_tokens
