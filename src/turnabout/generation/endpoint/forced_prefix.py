"""Answers with a given prefix, from models that cannot be prefilled.

The model is asked for the prefix, and its answer is made to begin with it.
"""

import re
from collections.abc import Sequence

from turnabout.core.messages import Message


def ask_for_prefix(prompt: Sequence[Message], prefill: str) -> list[Message]:
    """Return the prompt with a last message that ends by asking for the prefix."""
    if not prefill:
        return [{"role": message["role"], "content": message["content"]} for message in prompt]
    *before, last = ask_for_prefix(prompt, "")
    content = f"{last['content']}\n\nYour answer must begin with exactly this: {prefill}"
    return [*before, {"role": last["role"], "content": content}]


def force_prefix(text: str, prefill: str) -> str:
    """Return the answer with `prefill` at its beginning.

    An answer that continues the prefix without repeating it gets it in front. Whitespace and case may differ, and in
    prose punctuation. Where `prefill` opens a JSON object, an answer that is an object of its own stays as it is,
    without a code fence around it: its keys may come in another order.
    """
    if not prefill.startswith("{"):
        rest = _strip_prefix(prefill, text.strip(), prose=True)
        joint = "" if not prefill or prefill[-1].isspace() else " "
        if rest is None:
            return f"{prefill}{joint}{text.strip()}".strip()
        return prefill + (rest if joint else rest.lstrip())
    answer = re.sub(r"^```\w*\s*(?=\{)", "", text.strip())
    rest = _strip_prefix(prefill, answer, prose=False)
    if rest is None and answer.startswith("{"):
        return answer
    return prefill + (answer if rest is None else rest)


def _strip_prefix(prefix: str, text: str, prose: bool) -> str | None:
    """Return what follows the prefix, or None where the text begins otherwise.

    In prose only letters and digits are compared.
    """
    letters = re.findall(r"[^\W_]", prefix) if prose else []
    between = r"[\W_]*" if letters else r"\s*"
    pattern = between.join(map(re.escape, letters or re.sub(r"\s", "", prefix)))
    match = re.match(between + pattern, text, re.IGNORECASE)
    return match and text[match.end() :]
