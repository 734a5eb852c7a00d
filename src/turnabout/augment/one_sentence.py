"""One checked sentence of a model about each criticised reply.

This is the default form of critiques and rationales.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import polars as pl

from turnabout.augment.base import OUTCOME, AugmentContext, Augmenter, build_outcome
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.prompting.record import SHORT_NOTICE, format_record
from turnabout.text.shared_words import shares_word_run

#: An answer that shares so many words in a row with the exchange it is about is a copy.
COPIED_WORDS = 6
MIN_WORDS = 5

#: Words that any annotation may contain: they do not make one specific.
ABOUT_REPLIES = frozenset(
    (
        "also because been being better clear does doing from have into just like made make more much that their them "
        "then there these they this user users very what when which with would your answer answers conversation good "
        "question reply response responses request said something thing"
    ).split()
)


class SentencePrompt(NamedTuple):
    """What an annotation of one sentence asks for."""

    version: str
    instruction: str
    """The request that follows the record of the exchange."""
    prefill: str
    """The beginning of every answer, which keeps a small model on the task."""


class OneSentence(Augmenter):
    """An annotation of one sentence per criticised reply."""

    column: ClassVar[str]
    """The table's column that holds the sentence."""
    sentence: ClassVar[SentencePrompt]

    def write_sentences(self, criticised: pl.DataFrame, context: AugmentContext) -> pl.DataFrame:
        """Return one annotation per criticised reply, in order.

        Each is kept, or dropped with the reason.
        """
        rows = criticised.to_dicts()
        prompts = [self._build_prompt(row, context.max_prompt_tokens) for row in rows]
        sampling = Sampling(context.max_new_tokens, seed=context.seed, prefill=self.sentence.prefill)
        answers = context.generator.generate(prompts, sampling)
        reasons = []
        for answer, row in zip(answers, rows, strict=True):
            reasons.append(find_sentence_fault(answer, self.sentence.prefill, [row["reply"], row["follow_up"]]))
        texts = [extract_first_sentence(answer.text) for answer in answers]
        outcomes = [build_outcome(context, self.sentence.version, reason) for reason in reasons]
        return add_annotations(criticised, self.column, texts, outcomes)

    def _build_prompt(self, row: dict[str, Any], max_tokens: int) -> list[Message]:
        """Return the question about one row of `CRITICISED_REPLIES`."""
        content = f"{format_record(row, max_tokens)}\n\n{SHORT_NOTICE} {self.sentence.instruction}"
        return [{"role": "user", "content": content}]


def add_annotations(
    criticised: pl.DataFrame, column: str, texts: Sequence[str | None], outcomes: Sequence[dict[str, Any]]
) -> pl.DataFrame:
    """Return the keys of criticised replies, each with its text and outcome."""
    keys = criticised.select("conversation_id", "reply_index")
    annotated = keys.with_columns(pl.Series(column, texts, pl.String))
    return annotated.hstack(pl.DataFrame(outcomes, schema=OUTCOME))


def find_sentence_fault(answer: Completion, prefill: str, about: Sequence[str], specific: bool = True) -> str | None:
    """Return why an annotation is not kept, or None.

    Faults are a refusal, and text that is too short, cut off, copied from `about`, or addressed to the user. Where it
    must be `specific`, an annotation is also generic unless it shares a content word with one of the texts in `about`.
    """
    if answer.refused:
        return answer.refused
    text = extract_first_sentence(answer.text)
    added = text.removeprefix(prefill.strip())
    if len(added.split()) < MIN_WORDS:
        return "too short"
    if answer.truncated and not text.endswith((".", "!", "?")):
        return "cut off"
    if shares_word_run(added, about, COPIED_WORDS):
        return "copies the exchange"
    if specific and not _extract_content_words(added) & _extract_content_words(" ".join(about)):
        return "generic"
    if any(word in added.lower() for word in (" i'm ", " i am ", "sorry", " my ")):
        return "talks to the user"
    return None


def _extract_content_words(text: str) -> set[str]:
    """Return the words that say what an exchange is about, case folded.

    They have four letters or more, of any script.
    """
    return set(re.findall(r"[^\W\d_]{4,}", text.casefold())) - ABOUT_REPLIES


def extract_first_sentence(text: str) -> str:
    """Return the first sentence of an answer's first line."""
    line = text.strip().split("\n")[0]
    head, stop, _ = line.partition(". ")
    return head + stop.strip()
