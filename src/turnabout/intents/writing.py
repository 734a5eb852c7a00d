"""Intents of conversations by any model, in the detail wanted; what cannot be used is asked for again, then marked."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal

import polars as pl

from turnabout.core import schemas
from turnabout.core.config import Count, PerSplit, Section, Share
from turnabout.errors import ModelError
from turnabout.generation import Generator, Sampling
from turnabout.generation.registry import AnyModel
from turnabout.intents.checks import REMEDIES, CheckedAnswer, check_answer
from turnabout.intents.questions import ABOUT, TOKEN_FACTOR, SPEAKERS, Detail, build_intent_prompt
from turnabout.intents.wording import FALLBACK, NO_INTENT, PREFIX
from turnabout.prompting.structured import RETRY_TEMPERATURE

#: Characters of an unusable answer that an error shows.
MAX_SHOWN_CHARS = 200

#: The columns of an intent that nobody was asked for.
UNASKED_COLUMNS = {
    "intent": pl.lit(NO_INTENT),
    "model": pl.lit(None, pl.String),
    "tries": pl.lit(0, pl.Int32),
    "leaks_first": pl.lit(False),
    "leaks": pl.lit(False),
    "reason": pl.lit(None, pl.String),
}


class Intend(Section):
    renamed_keys: ClassVar = {"author": "generator"}

    detail: Literal["none", "high_level", "full"]
    """How much of what a person wants an intent tells: nothing, so that no model is asked; what the conversation is
    about; or all that they say."""
    generator: AnyModel
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


def write_intents(messages: pl.DataFrame, generator: Generator, settings: Intend, seed: int) -> pl.DataFrame:
    """One intent per conversation of `messages` (`schemas.INTENTS`, sorted).

    In detail `none` nobody is asked, and all are the same. What the author writes is checked; where none of `tries`
    answers can be used, a fallback stands there with the reason. Raises `ModelError` where that happens to more than
    `max_fallback` of all for one reason.
    """
    talks = _gather_conversations(messages)
    if settings.detail == "none":
        return talks.select("conversation_id", **UNASKED_COLUMNS)
    tried = _ask_until_usable(talks, generator, settings, settings.detail, seed)
    _refuse_many_fallbacks([answers[-1] for answers in tried], generator.name, settings.max_fallback)
    rows = [
        {"conversation_id": conversation, **_build_intent_row(answers, generator.name)}
        for conversation, answers in zip(talks["conversation_id"], tried, strict=True)
    ]
    return pl.DataFrame(rows, schema=schemas.INTENTS)


def _gather_conversations(messages: pl.DataFrame) -> pl.DataFrame:
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


def _ask_until_usable(talks: pl.DataFrame, generator: Generator, settings: Intend, detail: Detail, seed: int) -> list[list[CheckedAnswer]]:
    """The answers about each conversation, the last of which stands.

    Only what cannot be used is asked again, all of it at once, drawn by a seed of its own: a stored answer would only
    come back. What an endpoint refused to answer is not.
    """
    rows = talks.to_dicts()
    prompts = [build_intent_prompt(r["lines"], r["language"], detail, TOKEN_FACTOR[detail] * settings.max_prompt_tokens) for r in rows]
    found: list[list[CheckedAnswer]] = [[] for _ in rows]
    waiting = list(range(len(rows)))
    for attempt in range(settings.tries):
        if not waiting:
            break
        temperature = RETRY_TEMPERATURE if attempt else 0.0
        room = TOKEN_FACTOR[detail] * settings.max_new_tokens
        sampling = Sampling(room, temperature, seed=seed + attempt, prefill=ABOUT)
        answers = dict(zip(waiting, generator.generate([prompts[i] for i in waiting], sampling), strict=True))
        for i, answer in answers.items():
            found[i].append(check_answer(answer, rows[i]["said"], rows[i]["language"], detail))
        waiting = [i for i, answer in answers.items() if found[i][-1].reason and not answer.refused]
    return found


def _build_intent_row(answers: Sequence[CheckedAnswer], model: str) -> dict[str, str | int | bool | None]:
    """The columns of one intent."""
    last = answers[-1]
    return {
        "intent": FALLBACK if last.reason else f"{PREFIX}{last.topic}.",
        "model": "fallback" if last.reason else model,
        "tries": len(answers),
        "leaks_first": answers[0].leaks,
        "leaks": last.leaks,
        "reason": last.reason,
    }


def _refuse_many_fallbacks(answers: Sequence[CheckedAnswer], model: str, most: float) -> None:
    """Raise `ModelError` where too many cannot be used for one reason: a user model would learn from fallbacks."""
    reasons = Counter(answer.reason for answer in answers if answer.reason)
    for reason, n in reasons.most_common(1):
        if n > most * len(answers):
            example = next(answer.topic for answer in answers if answer.reason == reason)
            mend = REMEDIES.get(reason, "the endpoint did not answer; docs/generation.md says why it may not")
            raise ModelError(
                f"intend: {n} of {len(answers)} intents by '{model}' cannot be used for one reason, '{reason}', and "
                f"intend.max_fallback allows {most:.0%}. The first is {example[:MAX_SHOWN_CHARS]!r}: {mend}"
            )
