"""One checked sentence of a model about each criticised reply: the shape of critiques and rationales by default."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import polars as pl

from turnabout.augment.base import Augmenter, Writing
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.prompting.record import SHORT_NOTICE, record
from turnabout.text.shared_words import shares_words

#: Longest run of words an answer may copy from the exchange it is about.
COPIED_WORDS = 6
MIN_WORDS = 5

#: Words of an annotation that could stand in any other one.
ABOUT_REPLIES = frozenset(
    (
        "also because been being better clear does doing from have into just like made make more much that their them "
        "then there these they this user users very what when which with would your answer answers conversation good "
        "question reply response responses request said something thing"
    ).split()
)


class OneSentence(Augmenter):
    """An annotation of one sentence per criticised reply."""

    column: ClassVar[str]
    """The table's column that holds the words."""
    prompt_version: ClassVar[str]
    asked: ClassVar[str]
    """What is asked under the record of the exchange."""
    prefill: ClassVar[str]
    """How every answer begins, which keeps a small model on the task."""

    def sentences(self, criticised: pl.DataFrame, writing: Writing) -> pl.DataFrame:
        """One annotation per criticised reply, kept or not with the reason, in the order of `criticised`."""
        rows = criticised.to_dicts()
        prompts = [self.prompt(row, writing.max_prompt_tokens) for row in rows]
        sampling = Sampling(writing.max_new_tokens, seed=writing.seed, prefill=self.prefill)
        answers = writing.author.generate(prompts, sampling)
        reasons = [fault(answer, self.prefill, _around(row)) for answer, row in zip(answers, rows, strict=True)]
        return criticised.select("conversation_id", "reply_index").with_columns(
            pl.Series(self.column, [first_sentence(answer.text) for answer in answers], pl.String),
            author=pl.lit(writing.author.name),
            prompt_version=pl.lit(self.prompt_version),
            kept=pl.Series([reason is None for reason in reasons], dtype=pl.Boolean),
            reason=pl.Series(reasons, dtype=pl.String),
        )

    def prompt(self, row: dict[str, Any], max_tokens: int) -> list[Message]:
        """The question about one criticised reply, a `criticised.CRITICISED` row."""
        return [{"role": "user", "content": f"{record(row, max_tokens)}\n\n{SHORT_NOTICE} {self.asked}"}]


def fault(answer: Completion, prefill: str, about: Sequence[str], specific: bool = True) -> str | None:
    """Why an annotation is not kept, or None: refused, too short, cut off, copied from `about`, or talking to the user.

    Where it must be `specific`, it is generic unless it shares a telling word with one of the texts it is about.
    """
    if answer.refused:
        return answer.refused
    text = first_sentence(answer.text)
    added = text.removeprefix(prefill.strip())
    if len(added.split()) < MIN_WORDS:
        return "too short"
    if answer.truncated and not text.endswith((".", "!", "?")):
        return "cut off"
    if shares_words(added, about, COPIED_WORDS):
        return "copies the exchange"
    if specific and not _content(added) & _content(" ".join(about)):
        return "generic"
    if any(word in added.lower() for word in (" i'm ", " i am ", "sorry", " my ")):
        return "talks to the user"
    return None


def _around(row: dict[str, Any]) -> list[str]:
    return [row["reply"], row["follow_up"]]


def _content(text: str) -> set[str]:
    """Words of four letters or more, of any script, that say what an exchange is about, case folded."""
    return set(re.findall(r"[^\W\d_]{4,}", text.casefold())) - ABOUT_REPLIES


def first_sentence(text: str) -> str:
    """The first sentence of an answer's first line."""
    line = text.strip().split("\n")[0]
    head, stop, _ = line.partition(". ")
    return head + stop.strip()
