"""High-level intents: what a person wanted from a conversation, in one sentence that does not give their words away.

Naous et al. 2025 (arXiv 2510.06552), §3.1: no intent cannot steer a user model, a full script turns it into a parrot.
"""

from collections.abc import Sequence

import polars as pl

from turnabout import schemas
from turnabout.generation import Completion, Generator, Message, Sampling

PREFIX = "You are a user chatting with an assistant language model to talk about "
FALLBACK = PREFIX + "something on your mind."

#: How the author's answer begins: completing a sentence keeps even a small model on the task.
ABOUT = "The conversation is about"

#: Longest run of words an intent may share with one of the user's messages.
LEAK_WORDS = 8


def intents(
    messages: pl.DataFrame, author: Generator, max_prompt_tokens: int, max_new_tokens: int, seed: int
) -> pl.DataFrame:
    """One intent per conversation of `messages` (`schemas.INTENTS`, sorted), written by `author` and checked.

    An answer that is empty, cut off or shares eight words in a row with the user becomes a fallback that says so.
    """
    talks = (
        messages.filter(pl.col("role").is_in(["user", "assistant"]))
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(lines=pl.col("role").replace(SPEAKERS) + ": " + pl.col("text"), said=pl.col("text").filter(role="user"))
    )
    prompts = [prompt(lines, max_prompt_tokens) for lines in talks["lines"]]
    answers = author.generate(prompts, Sampling(max_new_tokens, seed=seed, prefill=ABOUT))
    rows = [
        {"conversation_id": conversation, **judged(answer, said, author.name)}
        for conversation, said, answer in zip(talks["conversation_id"], talks["said"], answers, strict=True)
    ]
    return pl.DataFrame(rows, schema=schemas.INTENTS)


#: Neutral names: told that an assistant is talking, a small model writes about assistants.
SPEAKERS = {"user": "A", "assistant": "B"}


def prompt(lines: Sequence[str], max_tokens: int) -> list[Message]:
    """The question put to the author, under the beginning of the conversation.

    Four characters are counted as one token, which is close enough for an excerpt.
    """
    excerpt = "\n".join(lines)[: 4 * max_tokens]
    return [{"role": "user", "content": f"{excerpt}\n\nWhat is this conversation about? Answer in one short sentence."}]


def judged(answer: Completion, said: Sequence[str], author: str) -> dict[str, str | bool | None]:
    """The checked columns of one intent: what the first sentence names, or the fallback with the reason."""
    topic = answer.text.removeprefix(ABOUT).strip().split("\n")[0].split(". ")[0].rstrip(". ")
    leaks = shares_words(topic, said, LEAK_WORDS)
    reason = answer.refused or ("empty" if not topic else "leak" if leaks else "cut off" if answer.truncated else None)
    if reason:
        return {"intent": FALLBACK, "author": "fallback", "leaks": leaks, "reason": reason}
    return {"intent": f"{PREFIX}{topic}.", "author": author, "leaks": False, "reason": None}


def shares_words(text: str, others: Sequence[str], n: int) -> bool:
    """Whether `text` has a run of `n` words that also stands in one of `others`, case folded."""
    words = text.lower().split()
    runs = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    for other in others:
        theirs = other.lower().split()
        if any(tuple(theirs[i : i + n]) in runs for i in range(len(theirs) - n + 1)):
            return True
    return False
