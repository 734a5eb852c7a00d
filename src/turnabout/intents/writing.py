"""Intents of conversations by any model, in the detail wanted; what cannot be used is asked for again, then marked."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import polars as pl

from turnabout.core import schemas
from turnabout.core.config import Count, PerSplit, Section, Share
from turnabout.errors import ModelError
from turnabout.generation import Generator, Sampling
from turnabout.generation.registry import AnyAuthor
from turnabout.intents.checks import MENDS, Judged, judged
from turnabout.intents.questions import ABOUT, ROOM, SPEAKERS, Detail, prompt
from turnabout.intents.wording import FALLBACK, NO_INTENT, PREFIX
from turnabout.prompting.structured import RETRY_TEMPERATURE

#: Characters of an unusable answer that an error shows.
SHOWN = 200

#: The columns of an intent that nobody was asked for.
UNASKED = {
    "intent": pl.lit(NO_INTENT),
    "author": pl.lit(None, pl.String),
    "tries": pl.lit(0, pl.Int32),
    "leaks_first": pl.lit(False),
    "leaks": pl.lit(False),
    "reason": pl.lit(None, pl.String),
}


class Intend(Section):
    detail: Literal["none", "high_level", "full"]
    """How much of what a person wants an intent tells: nothing, so that no model is asked; what the conversation is
    about; or all that they say."""
    author: AnyAuthor
    """Who names the intents."""
    conversations: PerSplit
    """Most conversations per split that get an intent (and are flipped); null means all."""
    max_prompt_tokens: Count
    """Longest excerpt of the conversation that its author is shown, in tokens; in detail `full`, 4 times that."""
    max_new_tokens: Count
    """Longest intent, in tokens; in detail `full`, 4 times that."""
    tries: Count
    """How often an intent is asked for at most; where no answer can be used, a general one stands there, marked."""
    max_fallback: Share
    """Largest share of intents that may be unusable for one reason; beyond it, the stage stops and says which."""
    batch_size: Count


def intents(messages: pl.DataFrame, author: Generator, settings: Intend, seed: int) -> pl.DataFrame:
    """One intent per conversation of `messages` (`schemas.INTENTS`, sorted).

    In detail `none` nobody is asked, and all are the same. What the author writes is checked; where none of `tries`
    answers can be used, a fallback stands there with the reason. Raises `ModelError` where that happens to more than
    `max_fallback` of all for one reason.
    """
    talks = _talks(messages)
    if settings.detail == "none":
        return talks.select("conversation_id", **UNASKED)
    tried = _tried(talks, author, settings, settings.detail, seed)
    _check([answers[-1] for answers in tried], author.name, settings.max_fallback)
    rows = [
        {"conversation_id": conversation, **_row(answers, author.name)}
        for conversation, answers in zip(talks["conversation_id"], tried, strict=True)
    ]
    return pl.DataFrame(rows, schema=schemas.INTENTS)


def _talks(messages: pl.DataFrame) -> pl.DataFrame:
    """One conversation per row, sorted: its language, its lines as the author sees them, and what its user said."""
    return (
        messages.filter(pl.col("role").is_in(list(SPEAKERS)))
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            pl.col("language").first(),
            lines=pl.col("role").replace(SPEAKERS) + ": " + pl.col("text"),
            said=pl.col("text").filter(role="user"),
        )
    )


def _tried(talks: pl.DataFrame, author: Generator, settings: Intend, detail: Detail, seed: int) -> list[list[Judged]]:
    """The answers about each conversation, the last of which stands.

    Only what cannot be used is asked again, all of it at once, drawn by a seed of its own: a stored answer would only
    come back. What an endpoint refused to answer is not.
    """
    rows = talks.to_dicts()
    prompts = [prompt(r["lines"], r["language"], detail, ROOM[detail] * settings.max_prompt_tokens) for r in rows]
    found: list[list[Judged]] = [[] for _ in rows]
    waiting = list(range(len(rows)))
    for attempt in range(settings.tries):
        if not waiting:
            break
        temperature = RETRY_TEMPERATURE if attempt else 0.0
        room = ROOM[detail] * settings.max_new_tokens
        sampling = Sampling(room, temperature, seed=seed + attempt, prefill=ABOUT)
        answers = dict(zip(waiting, author.generate([prompts[i] for i in waiting], sampling), strict=True))
        for i, answer in answers.items():
            found[i].append(judged(answer, rows[i]["said"], rows[i]["language"], detail))
        waiting = [i for i, answer in answers.items() if found[i][-1].reason and not answer.refused]
    return found


def _row(answers: Sequence[Judged], author: str) -> dict[str, str | int | bool | None]:
    """The columns of one intent."""
    last = answers[-1]
    return {
        "intent": FALLBACK if last.reason else f"{PREFIX}{last.topic}.",
        "author": "fallback" if last.reason else author,
        "tries": len(answers),
        "leaks_first": answers[0].leaks,
        "leaks": last.leaks,
        "reason": last.reason,
    }


def _check(answers: Sequence[Judged], author: str, most: float) -> None:
    """Raise `ModelError` where too many cannot be used for one reason: a user model would learn from fallbacks."""
    reasons = Counter(answer.reason for answer in answers if answer.reason)
    for reason, n in reasons.most_common(1):
        if n > most * len(answers):
            example = next(answer.topic for answer in answers if answer.reason == reason)
            mend = MENDS.get(reason, "the endpoint did not answer; docs/generation.md says why it may not")
            raise ModelError(
                f"intend: {n} of {len(answers)} intents by '{author}' cannot be used for one reason, '{reason}', and "
                f"intend.max_fallback allows {most:.0%}. The first is {example[:SHOWN]!r}: {mend}"
            )
