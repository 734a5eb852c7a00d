"""High-level intents: what a person wanted from a conversation, in one sentence that does not give their words away.

Naous et al. 2025 (arXiv 2510.06552), §3.1: no intent cannot steer a user model, a full script turns it into a parrot.
"""

from collections.abc import Sequence

import polars as pl

from turnabout import schemas
from turnabout.generation import Completion, Generator, Message, Sampling

PREFIX = "You are a user chatting with an assistant language model to "
FALLBACK = PREFIX + "talk about something on your mind."

#: Longest run of words an intent may share with one of the user's messages.
LEAK_WORDS = 8
MAX_WORDS = 45

_TASK = (
    "You read what one person wrote in a conversation and say in one short sentence, in general words, what they want."
)
_SHOTS = [
    ("- my landlord keeps my deposit\n- can I do anything about it?", "find out how to get a rental deposit back."),
    ("- hey! how are you\n- just got home from work, so tired", "make small talk about your day."),
    ("- write a haiku on rain\n- shorter lines please", "get a short poem written and improved."),
]


def intents(
    messages: pl.DataFrame, author: Generator, max_prompt_tokens: int, max_new_tokens: int, seed: int
) -> pl.DataFrame:
    """One intent per conversation of `messages` (`schemas.INTENTS`, sorted), written by `author` and checked.

    An answer that is empty, too long or shares eight words in a row with the user is replaced by a fallback that says so.
    """
    said = (
        messages.filter(pl.col("role") == "user")
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg("text")
    )
    prompts = [prompt(turns, max_prompt_tokens) for turns in said["text"]]
    answers = author.generate(prompts, Sampling(max_new_tokens, seed=seed, prefill=PREFIX))
    rows = [
        {"conversation_id": conversation, **judged(answer, turns, author.name)}
        for conversation, turns, answer in zip(said["conversation_id"], said["text"], answers, strict=True)
    ]
    return pl.DataFrame(rows, schema=schemas.INTENTS)


def prompt(turns: Sequence[str], max_tokens: int) -> list[Message]:
    """The question put to the author: three worked examples, then the user's first messages.

    Four characters are counted as one token, which is close enough for an excerpt.
    """
    excerpt = "\n".join(f"- {turn}" for turn in turns)[: 4 * max_tokens]
    shown: list[Message] = [{"role": "system", "content": _TASK}]
    for question, answer in _SHOTS:
        shown += [{"role": "user", "content": question}, {"role": "assistant", "content": PREFIX + answer}]
    return [*shown, {"role": "user", "content": excerpt}]


def judged(answer: Completion, turns: Sequence[str], author: str) -> dict[str, str | bool | None]:
    """The checked columns of one intent: its first sentence, or the fallback with the reason."""
    sentence = answer.text.split("\n")[0].split(". ")[0].rstrip(". ") + "."
    leaks = shares_words(sentence.removeprefix(PREFIX), turns, LEAK_WORDS)
    reason = None
    if not sentence.startswith(PREFIX) or len(sentence) < len(PREFIX) + 8:
        reason = "empty"
    elif leaks:
        reason = "leak"
    elif answer.truncated or len(sentence.split()) > MAX_WORDS:
        reason = "too long"
    if reason:
        return {"intent": FALLBACK, "author": "fallback", "leaks": leaks, "reason": reason}
    return {"intent": sentence, "author": author, "leaks": False, "reason": None}


def shares_words(text: str, others: Sequence[str], n: int) -> bool:
    """Whether `text` has a run of `n` words that also stands in one of `others`, case folded."""
    words = text.lower().split()
    runs = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    for other in others:
        theirs = other.lower().split()
        if any(tuple(theirs[i : i + n]) in runs for i in range(len(theirs) - n + 1)):
            return True
    return False
