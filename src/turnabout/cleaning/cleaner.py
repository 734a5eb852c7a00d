"""Cleaning of messages: scrubbing, flags, and filters for conversations."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import Field

from turnabout.cleaning.contamination import EvaluationSet, find_contaminated
from turnabout.cleaning.exact_duplicates import KNOWN_TEXTS, ExactDuplicateIndex
from turnabout.cleaning.near_duplicates import KNOWN_SIGNATURES, NearDuplicateIndex
from turnabout.cleaning.person_cap import APPEARANCES, PersonCap
from turnabout.cleaning.templates import TEMPLATE_USES, TemplateIndex
from turnabout.cleaning.toxicity import detect_toxicity
from turnabout.core import schemas
from turnabout.core.config import Count, Section
from turnabout.scrubbing import scrub_messages
from turnabout.text.language_detection import add_language, find_unwanted_languages

#: What the cleaner must know of all earlier conversations: tables that only grow.
MEMORIES: dict[str, pl.Schema] = {
    "said": KNOWN_TEXTS,
    "near": KNOWN_SIGNATURES,
    "openings": TEMPLATE_USES,
    "people": APPEARANCES,
}


class Clean(Section):
    """Settings of the stage `clean`."""

    min_messages: Count
    """Shortest conversation kept, in messages."""
    max_conversations_per_person: Count | None
    """Number of conversations kept of one person, the first in order of arrival; null keeps all."""
    scrub: list[
        Literal[
            "url",
            "email",
            "secret",
            "iban",
            "card",
            "ip",
            "national_id",
            "birth_date",
            "phone",
            "address",
            "name",
            "handle",
        ]
    ]
    """Kinds of personal data replaced by typed placeholders."""
    languages: list[str] | None
    """ISO 639 codes of the languages kept; an empty list keeps all and detects them; null does not detect them."""
    toxicity: bool
    """Whether toxic messages get the flag `toxic`; they stay."""
    templates: Annotated[int, Field(ge=2)] | None
    """From this many people with the same first message on, it gets the flag `template`; null never flags."""
    decontaminate: str
    """File or folder of evaluation sets, one file each; conversations that share text with a set are dropped."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None
    """Estimated Jaccard similarity of word 3-grams from which a conversation repeats an earlier one; null keeps all."""


class Prepared(NamedTuple):
    """A batch with scrubbed texts, languages and flags, not yet filtered.

    `n_scrubbed` is the number of values replaced, by kind.
    """

    messages: pl.DataFrame
    n_scrubbed: dict[str, int]


def prepare_batch(messages: pl.DataFrame, settings: Clean) -> Prepared:
    """Scrub a batch, add languages and flag toxic messages.

    This needs no other batch, so several batches can be prepared in parallel.
    """
    scrubbed = scrub_messages(messages, settings.scrub)
    prepared = scrubbed.messages if settings.languages is None else add_language(scrubbed.messages)
    if settings.toxicity:
        prepared = add_flag(prepared, "toxic", detect_toxicity(prepared))
    return Prepared(prepared, scrubbed.n_by_kind)


def add_flag(messages: pl.DataFrame, flag: str, is_flagged: pl.Series) -> pl.DataFrame:
    """Add a warning to the column `flags` of the messages where `is_flagged`.

    `is_flagged` has one Boolean a row. Each flag occurs once, and the flags are sorted.
    """
    flags = pl.col("flags")
    added = pl.concat_list(flags.fill_null([]), pl.lit(flag)).list.unique().list.sort()
    return messages.with_columns(flags=pl.when(is_flagged).then(added).otherwise(flags))


class CleanedBatch(NamedTuple):
    """The messages kept of a batch, and the record of those that were dropped."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    """What was dropped, with the reason (`kind` or `kind: detail`)."""
    memories: dict[str, pl.DataFrame]
    """What the batch adds to each of `MEMORIES`."""
    tallies: dict[str, dict[str, int]]
    """Counts of the batch, as the metrics of the stage name them."""


class Cleaner:
    """Filters batch by batch, in order of arrival.

    The result for a conversation depends only on the conversations before it. It depends neither on how they were cut
    into batches nor on later ones.
    """

    def __init__(self, settings: Clean, sets: Sequence[EvaluationSet], memories: Mapping[str, pl.DataFrame]) -> None:
        """Start with the `memories` that all earlier batches added together."""
        self.settings, self.sets = settings, sets
        self._exact = ExactDuplicateIndex(memories["said"])
        self._cap = PersonCap(settings.max_conversations_per_person, memories["people"])
        threshold, min_people = settings.near_duplicates, settings.templates
        self._near = None if threshold is None else NearDuplicateIndex(threshold, memories["near"])
        self._templates = None if min_people is None else TemplateIndex(min_people, memories["openings"])
        self._n_remembered = {name: memories[name].height for name in MEMORIES}

    def clean_batch(self, prepared: Prepared) -> CleanedBatch:
        """Filter the messages of the next batch, in this order.

        1. Drop empty messages one by one: nothing was said, and the rest of the conversation may still be complete.
        2. Drop conversations in an unwanted language, with text of an evaluation set, or with too little content.
        3. Of conversations with the same or nearly the same texts, keep the first.
        4. Of each person (in any role), keep the first `max_conversations_per_person` that are left.

        `message_index` of the result counts from 0 again.
        """
        messages = prepared.messages
        has_text = pl.col("text").str.strip_chars().fill_null("") != ""
        quarantines = [_quarantine_empty_messages(messages.filter(~has_text))]
        index = pl.int_range(pl.len(), dtype=pl.Int32).over("conversation_id")
        kept = messages.filter(has_text).with_columns(message_index=index)
        filters = (
            self._find_unwanted_language,
            self._find_contaminated,
            self._find_incomplete,
            self._exact.find_repeats,
            self._find_near_duplicates,
            self._cap.find_excess,
        )
        for find_rejected in filters:
            rejected = find_rejected(kept)
            quarantines.append(_quarantine_conversations(kept, rejected))
            kept = kept.join(rejected, on="conversation_id", how="anti", maintain_order="left")
        if self._templates:
            kept = add_flag(kept, "template", self._templates.flag_templates(kept))
        quarantine = pl.concat(quarantines)
        return CleanedBatch(
            messages=kept,
            quarantine=quarantine,
            memories=self._collect_additions(),
            tallies=_count_batch(messages, kept, quarantine, prepared.n_scrubbed),
        )

    def _find_unwanted_language(self, messages: pl.DataFrame) -> pl.DataFrame:
        if not self.settings.languages:
            return _no_conversations()
        return find_unwanted_languages(messages, self.settings.languages)

    def _find_contaminated(self, messages: pl.DataFrame) -> pl.DataFrame:
        if not self.sets:
            return _no_conversations()
        reason = pl.format("text of an evaluation set: {}", "evaluation_set")
        return find_contaminated(messages, self.sets).select("conversation_id", reason=reason)

    def _find_incomplete(self, messages: pl.DataFrame) -> pl.DataFrame:
        return find_incomplete(messages, self.settings.min_messages)

    def _find_near_duplicates(self, messages: pl.DataFrame) -> pl.DataFrame:
        if not self._near:
            return _no_conversations()
        reason = pl.format("nearly the same messages as another conversation: {}", "earlier")
        return self._near.find_repeats(messages).select("conversation_id", reason=reason)

    def _collect_additions(self) -> dict[str, pl.DataFrame]:
        """Return what each memory gained since the last call."""
        known = self._n_remembered
        added = {
            "said": self._exact.known[known["said"] :],
            "near": KNOWN_SIGNATURES.to_frame(),
            "openings": TEMPLATE_USES.to_frame(),
            "people": self._cap.known[known["people"] :],
        }
        if self._near:
            added["near"] = self._near.export_known(known["near"])
        if self._templates:
            added["openings"] = self._templates.export_known()[known["openings"] :]
        self._n_remembered = {name: known[name] + rows.height for name, rows in added.items()}
        return added


def find_incomplete(messages: pl.DataFrame, min_messages: int) -> pl.DataFrame:
    """Return the conversations with too little to learn from.

    The columns are `conversation_id` and `reason`. The conversations have fewer than `min_messages` messages, or no
    user or no assistant message.
    """
    has_role = {role: (pl.col("role") == role).any() for role in ("user", "assistant")}
    reason = (
        pl.when(pl.len() < min_messages)
        .then(pl.lit(f"fewer than {min_messages} messages"))
        .when(~has_role["user"])
        .then(pl.lit("no user message"))
        .when(~has_role["assistant"])
        .then(pl.lit("no assistant message"))
    )
    return messages.group_by("conversation_id", maintain_order=True).agg(reason=reason).drop_nulls("reason")


def _no_conversations() -> pl.DataFrame:
    return pl.DataFrame(schema={"conversation_id": pl.String, "reason": pl.String})


def _quarantine_empty_messages(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the quarantine rows of messages without text."""
    record = pl.format("{}:{}", "conversation_id", "message_index")
    return messages.select("source", record=record, reason=pl.lit("empty message"), excerpt="text")


def _quarantine_conversations(messages: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Return the quarantine rows of the rejected conversations."""
    first = messages.join(rejected, on="conversation_id", how="inner", maintain_order="left").filter(message_index=0)
    excerpt = pl.col("text").str.head(200)
    rows = first.select("source", "reason", record="conversation_id", excerpt=excerpt)
    return rows.select(list(schemas.QUARANTINE))


def _count_batch(
    before: pl.DataFrame, after: pl.DataFrame, quarantine: pl.DataFrame, n_scrubbed: dict[str, int]
) -> dict[str, dict[str, int]]:
    """Return the counts of a batch, as the metrics of the stage name them."""
    totals = {
        "n_conversations_in": before["conversation_id"].n_unique(),
        "n_conversations": after["conversation_id"].n_unique(),
        "n_messages_in": before.height,
        "n_messages": after.height,
    }
    kind = quarantine["reason"].str.split(": ").list.first()
    flagged = after["flags"].explode().drop_nulls()
    return {
        "totals": totals,
        "dropped_by_reason": dict(kind.value_counts().iter_rows()),
        "scrubbed_by_kind": n_scrubbed,
        "flagged_by_kind": dict(flagged.value_counts().iter_rows()),
    }
