"""Chat templates as transformers applies them."""

from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message


def apply_template(tokenizer: Any, messages: Sequence[Message], **options: Any) -> Any:
    """Return what the tokenizer's own template makes of the messages.

    The annotations of transformers accept no `Message`, and their results are unions over all options.
    """
    return tokenizer.apply_chat_template(messages, **options)
