"""Generation of intents, one for each conversation, by any model.

An unusable answer is asked for again; if no answer is usable, a marked fallback takes its place.
"""

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
from turnabout.intents.questions import ABOUT, SPEAKERS, TOKEN_FACTOR, Detail, build_intent_prompt
from turnabout.intents.wording import FALLBACK, NO_INTENT, PREFIX
from turnabout.prompting.structured import RETRY_TEMPERATURE

#: Largest number of characters of an unusable answer that an error shows.
MAX_SHOWN_CHARS = 200

#: The columns of an intent in detail `none`, for which no model is asked.
UNASKED_COLUMNS = {
    "intent": pl.lit(NO_INTENT),
    "model": pl.lit(None, pl.String),
    "tries": pl.lit(0, pl.Int32),
    "leaks_first": pl.lit(False),
    "leaks": pl.lit(False),
    "reason": pl.lit(None, pl.String),
}


class Intend(Section):
    """Settings of the stage `intend`."""

    renamed_keys: ClassVar = {"author": "generator"}

    detail: Literal["none", "high_level", "full"]
    """How much an intent says about what the person wants: nothing, so that no model is asked; what the conversation
    is about; or all that they say."""
    generator: AnyModel
    """The model that writes the intents."""
    conversations: PerSplit
    """Largest number of conversations per split that get an intent (and are flipped); null means all."""
    max_prompt_tokens: Count
    """Longest excerpt of the conversation in the prompt, in tokens; in detail `full`, 4 times that."""
    max_new_tokens: Count
    """Longest intent, in tokens; in detail `full`, 4 times that."""
    tries: Count
    """Largest number of answers per intent; if none is usable, a general intent takes its place, with the reason."""
    max_fallback: Share
    """Largest share of intents that may be unusable for one reason; above it, the stage stops and names the reason."""
    batch_size: Count
    """Number of prompts that a local model generates for at once."""


def write_intents(messages: pl.DataFrame, generator: Generator, settings: Intend, seed: int) -> pl.DataFrame:
    """Write one intent per conversation (`schemas.INTENTS`, sorted).

    In detail `none` no model is asked, and all intents are the same. Answers are checked; if none of `tries` answers is
    usable, a fallback takes their place, with the reason. Raises `ModelError` if the share of fallbacks for one reason
    is above `max_fallback`.
    """
    conversations = _gather_conversations(messages)
    if settings.detail == "none":
        return conversations.select("conversation_id", **UNASKED_COLUMNS)
    answers_of_all = _ask_until_usable(conversations, generator, settings, detail=settings.detail, seed=seed)
    _refuse_many_fallbacks([answers[-1] for answers in answers_of_all], generator.name, settings.max_fallback)
    rows = [
        {"conversation_id": conversation, **_build_intent_row(answers, generator.name)}
        for conversation, answers in zip(conversations["conversation_id"], answers_of_all, strict=True)
    ]
    return pl.DataFrame(rows, schema=schemas.INTENTS)


def _gather_conversations(messages: pl.DataFrame) -> pl.DataFrame:
    """Return one row per conversation, sorted by id.

    The columns are `conversation_id`, `language`, `lines` (the lines of the prompt) and `user_texts`.
    """
    return (
        messages.filter(pl.col("role").is_in(list(SPEAKERS)))
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            pl.col("language").first(),
            lines=pl.col("role").replace(SPEAKERS) + ": " + pl.col("text"),
            user_texts=pl.col("text").filter(role="user"),
        )
    )


def _ask_until_usable(
    conversations: pl.DataFrame, generator: Generator, settings: Intend, *, detail: Detail, seed: int
) -> list[list[CheckedAnswer]]:
    """Return the answers about each conversation; the last one counts.

    Unusable answers are asked for again, all at once, with another seed and a temperature, because the answer store
    would return the same answer for the same prompt. Answers that an endpoint refused are not asked for again.
    """
    rows = conversations.to_dicts()
    max_prompt_tokens = TOKEN_FACTOR[detail] * settings.max_prompt_tokens
    max_new_tokens = TOKEN_FACTOR[detail] * settings.max_new_tokens
    prompts = [build_intent_prompt(row["lines"], row["language"], detail, max_prompt_tokens) for row in rows]
    checked: list[list[CheckedAnswer]] = [[] for _ in rows]
    open_rows = list(range(len(rows)))
    for attempt in range(settings.tries):
        if not open_rows:
            break
        temperature = RETRY_TEMPERATURE if attempt else 0.0
        sampling = Sampling(max_new_tokens, temperature, seed=seed + attempt, prefill=ABOUT)
        completions = generator.generate([prompts[i] for i in open_rows], sampling)
        answers = dict(zip(open_rows, completions, strict=True))
        for i, answer in answers.items():
            checked[i].append(check_answer(answer, rows[i]["user_texts"], rows[i]["language"], detail))
        open_rows = [i for i, answer in answers.items() if checked[i][-1].reason and not answer.refused]
    return checked


def _build_intent_row(answers: Sequence[CheckedAnswer], model: str) -> dict[str, str | int | bool | None]:
    """Return the columns of one intent."""
    last = answers[-1]
    return {
        "intent": FALLBACK if last.reason else f"{PREFIX}{last.topic}.",
        "model": "fallback" if last.reason else model,
        "tries": len(answers),
        "leaks_first": answers[0].leaks,
        "leaks": last.leaks,
        "reason": last.reason,
    }


def _refuse_many_fallbacks(answers: Sequence[CheckedAnswer], model: str, max_share: float) -> None:
    """Raise `ModelError` if too many answers are unusable for one reason.

    Otherwise a user model would learn from fallbacks.
    """
    reasons = Counter(answer.reason for answer in answers if answer.reason)
    for reason, n in reasons.most_common(1):
        if n > max_share * len(answers):
            example = next(answer.topic for answer in answers if answer.reason == reason)
            remedy = REMEDIES.get(reason, "the endpoint did not answer; docs/generation.md lists possible causes")
            raise ModelError(
                f"intend: {n} of {len(answers)} intents by '{model}' are unusable for one reason, '{reason}', but "
                f"intend.max_fallback allows {max_share:.0%}. The first is {example[:MAX_SHOWN_CHARS]!r}: {remedy}"
            )
