"""Answers that must begin with given words, from models that cannot be made to: they are told, and held to it."""

import re
from collections.abc import Sequence

from turnabout.core.messages import Message


def told(prompt: Sequence[Message], prefill: str) -> list[Message]:
    """The prompt, whose last message ends by saying how the answer has to begin."""
    if not prefill:
        return [{"role": message["role"], "content": message["content"]} for message in prompt]
    *before, last = told(prompt, "")
    asked = f"{last['content']}\n\nYour answer must begin with exactly this: {prefill}"
    return [*before, {"role": last["role"], "content": asked}]


def begun(text: str, prefill: str) -> str:
    """The answer, beginning with `prefill`: a model that went on from it without repeating it gets it put in front.

    Blanks and case may differ, and in prose punctuation. Where `prefill` opens a JSON object, an answer that is an
    object of its own stays as it is, without a fence round it: its keys may come in another order.
    """
    if not prefill.startswith("{"):
        rest = _after(prefill, text.strip(), prose=True)
        joint = "" if not prefill or prefill[-1].isspace() else " "
        if rest is None:
            return f"{prefill}{joint}{text.strip()}".strip()
        return prefill + (rest if joint else rest.lstrip())
    answer = re.sub(r"^```\w*\s*(?=\{)", "", text.strip())
    rest = _after(prefill, answer, prose=False)
    if rest is None and answer.startswith("{"):
        return answer
    return prefill + (answer if rest is None else rest)


def _after(beginning: str, text: str, prose: bool) -> str | None:
    """What follows the beginning, or None where the text begins otherwise. Of prose only letters and digits count."""
    letters = re.findall(r"[^\W_]", beginning) if prose else []
    between = r"[\W_]*" if letters else r"\s*"
    pattern = between.join(map(re.escape, letters or re.sub(r"\s", "", beginning)))
    found = re.match(between + pattern, text, re.IGNORECASE)
    return found and text[found.end() :]
