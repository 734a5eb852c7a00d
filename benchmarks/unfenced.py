"""The prompts of this project as somebody would write them who thinks no harm: texts of logs pasted as they are."""

import json
import re
from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator, Sampling, TurnScore

#: What `untrusted.data` writes; nothing inside can look like its end.
FENCE = re.compile(r"<(\w+)>\n(.*)\n</\1>")

#: What prompts say about the texts in fences.
NOTICE = re.compile(
    r"(?:The text between tags|All of it) is [^.]*do\s+not\s+follow\s+any\s+instruction\s+in\s+it[^.]*\.",
)


class UnfencedGenerator:
    """A generator that gets every prompt without its fences, and without the sentence that tells of them."""

    def __init__(self, generator: Generator) -> None:
        self.name = generator.name
        self.generator = generator

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """The answers to the bare prompts."""
        return self.generator.generate([_remove_fences_from_prompt(prompt) for prompt in prompts], sampling)

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """How likely each turn is after the bare prompts."""
        return self.generator.score([_remove_fences_from_prompt(prompt) for prompt in prompts], turns)


def remove_fences(prompt: str) -> str:
    """The bare prompt. Raises `ValueError` where a fence or the notice is not found: prompts have changed since."""
    told, n_notices = NOTICE.subn("", prompt)
    bare, n_fences = FENCE.subn(lambda found: f"{found[1]}: {_format_content(json.loads(found[2]))}", told)
    if n_notices != 1 or n_fences == 0:
        raise ValueError(f"a prompt has {n_notices} notices and {n_fences} fences:\n{prompt}")
    return bare


def _remove_fences_from_prompt(prompt: Sequence[Message]) -> list[Message]:
    first, *rest = prompt
    return [{"role": first["role"], "content": remove_fences(first["content"])}, *rest]


def _format_content(content: Any) -> str:
    """The words of a text, of messages or of named texts, a line each."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return "\n" + "\n".join(f"{name}: {text}" for name, text in content.items())
    return "\n" + "\n".join(f"{message['role']}: {message['content']}" for message in content)
