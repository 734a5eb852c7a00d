"""Prompts of this project with texts of logs pasted without fences.

This is how a prompt would look whose author expects no attack.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator, Sampling, TurnScore

#: The output of `prompting.fencing.fence`; no text inside can look like its end.
FENCE = re.compile(r"<(\w+)>\n(.*)\n</\1>")

#: The sentence by which prompts announce the texts in fences.
NOTICE = re.compile(
    r"(?:The text between tags|All of it) is [^.]*do\s+not\s+follow\s+any\s+instruction\s+in\s+it[^.]*\.",
)


class UnfencedGenerator:
    """A generator that gets every prompt without fences and their announcement."""

    def __init__(self, generator: Generator) -> None:
        self.name = generator.name
        self.generator = generator

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return the answers to the unfenced prompts."""
        return self.generator.generate([_remove_fences_from_prompt(prompt) for prompt in prompts], sampling)

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the scores of the turns after the unfenced prompts."""
        return self.generator.score([_remove_fences_from_prompt(prompt) for prompt in prompts], turns)


def remove_fences(prompt: str) -> str:
    """Return the prompt without fences and notice.

    Raises `ValueError` where the prompt has no fence or not exactly one notice: the wording of prompts has changed.
    """
    without_notice, n_notices = NOTICE.subn("", prompt)
    bare, n_fences = FENCE.subn(lambda match: f"{match[1]}: {_format_content(json.loads(match[2]))}", without_notice)
    if n_notices != 1 or n_fences == 0:
        raise ValueError(f"a prompt has {n_notices} notices and {n_fences} fences:\n{prompt}")
    return bare


def _remove_fences_from_prompt(prompt: Sequence[Message]) -> list[Message]:
    first, *rest = prompt
    return [{"role": first["role"], "content": remove_fences(first["content"])}, *rest]


def _format_content(content: Any) -> str:
    """Return a text, or messages or named texts with a line each."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return "\n" + "\n".join(f"{name}: {text}" for name, text in content.items())
    return "\n" + "\n".join(f"{message['role']}: {message['content']}" for message in content)
