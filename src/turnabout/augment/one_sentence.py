"""One checked sentence of a model about each criticised reply: the shape of critiques and rationales."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import polars as pl

from turnabout.augment.base import Augmenter, Logs, Writing
from turnabout.generation import Completion, Message, Sampling
from turnabout.intents import shares_words

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
    prefill: ClassVar[str]
    """How every answer begins, which keeps a small model on the task."""

    @abstractmethod
    def question(self, row: dict[str, Any]) -> str:
        """The question about one criticised reply: a `criticised.CRITICISED` row plus `history`, a transcript."""

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """One annotation per criticised reply, kept or not with the reason, in the order of `criticised`."""
        rows = logs.criticised.to_dicts()
        prompts = [self._prompt(row, writing.max_prompt_tokens) for row in rows]
        sampling = Sampling(writing.max_new_tokens, seed=writing.seed, prefill=self.prefill)
        answers = writing.author.generate(prompts, sampling)
        reasons = [self.fault(answer, row) for answer, row in zip(answers, rows, strict=True)]
        return logs.criticised.select("conversation_id", "reply_index").with_columns(
            pl.Series(self.column, [first_sentence(answer.text) for answer in answers], pl.String),
            author=pl.lit(writing.author.name),
            prompt_version=pl.lit(self.prompt_version),
            kept=pl.Series([reason is None for reason in reasons], dtype=pl.Boolean),
            reason=pl.Series(reasons, dtype=pl.String),
        )

    def fault(self, answer: Completion, row: dict[str, Any]) -> str | None:
        """Why an annotation is not kept, or None: too short, cut off, copied, or answering the user."""
        text = first_sentence(answer.text)
        added = text.removeprefix(self.prefill.strip())
        if len(added.split()) < MIN_WORDS:
            return "too short"
        if answer.truncated and not text.endswith((".", "!", "?")):
            return "cut off"
        if shares_words(added, [row["reply"], row["follow_up"]], COPIED_WORDS):
            return "copies the exchange"
        if not _content(added) & _content(f"{row['reply']} {row['follow_up']}"):
            return "generic"
        if any(word in added.lower() for word in (" i'm ", " i am ", "sorry", " my ")):
            return "talks to the user"
        return None

    def _prompt(self, row: dict[str, Any], max_tokens: int) -> list[Message]:
        return [{"role": "user", "content": self.question({**row, "history": transcript(row["prompt"], max_tokens)})}]


def _content(text: str) -> set[str]:
    """Words of four letters or more that say what an exchange is about, case folded."""
    return set(re.findall(r"[a-z]{4,}", text.lower())) - ABOUT_REPLIES


def first_sentence(text: str) -> str:
    """The first sentence of an answer's first line."""
    line = text.strip().split("\n")[0]
    head, stop, _ = line.partition(". ")
    return head + stop.strip()


def transcript(messages: Sequence[Message], max_tokens: int) -> str:
    """The newest messages as lines "Role: words", at most about `max_tokens` long (four characters a token)."""
    lines = [f"{message['role'].capitalize()}: {message['content']}" for message in messages]
    return "\n".join(lines)[-4 * max_tokens :]
