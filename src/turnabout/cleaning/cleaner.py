"""Messages fit to learn from: scrubbed, flagged, nothing empty, nothing twice, nobody too often."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import Field

from turnabout.cleaning.contamination import EvaluationSet, contaminated
from turnabout.cleaning.crowding import APPEARANCES, Crowding
from turnabout.cleaning.exact_duplicates import SAID, ExactDuplicates
from turnabout.cleaning.flags import with_flag
from turnabout.cleaning.near_duplicates import KNOWN, NearDuplicates
from turnabout.cleaning.templates import USES, Templates
from turnabout.cleaning.thin import too_thin
from turnabout.cleaning.toxicity import toxic
from turnabout.core import schemas
from turnabout.core.config import Count, Section
from turnabout.scrubbing import scrub
from turnabout.text.language_detection import outside, with_language

#: What has to be known of all conversations before: tables that only grow.
MEMORIES: dict[str, pl.Schema] = {"said": SAID, "near": KNOWN, "openings": USES, "people": APPEARANCES}


class Clean(Section):
    min_messages: Count
    """Shortest conversation kept, in messages."""
    max_conversations_per_person: Count | None
    """First conversations kept of one person, in order of arrival; null keeps all."""
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
    """ISO 639 codes of the languages kept; an empty list keeps all and says which is which; null does not ask."""
    toxicity: bool
    """Whether toxic messages get the flag `toxic`; they stay."""
    templates: Annotated[int, Field(ge=2)] | None
    """From so many people with the same first message on, it gets the flag `template`; null never."""
    decontaminate: str
    """File or folder of evaluation sets, a file each: conversations that share text with one go."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None
    """Estimated Jaccard similarity of word 3-grams from which a conversation repeats an earlier one; null keeps all."""


class Looked(NamedTuple):
    """A batch as it came, with scrubbed texts, languages and flags, and how many values were scrubbed, by kind."""

    messages: pl.DataFrame
    n_scrubbed: dict[str, int]


def looked_through(messages: pl.DataFrame, settings: Clean) -> Looked:
    """What can be said of a batch without knowing any other, so that several batches can be read at once."""
    scrubbed = scrub(messages, settings.scrub)
    told = scrubbed.messages if settings.languages is None else with_language(scrubbed.messages)
    flagged = with_flag(told, "toxic", toxic(told)) if settings.toxicity else told
    return Looked(flagged, scrubbed.n_by_kind)


class Cleaned(NamedTuple):
    """What stays of a batch, what went with the reason (`kind` or `kind: detail`), and how many of what."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    memories: dict[str, pl.DataFrame]
    """What the batch adds to each of `MEMORIES`."""
    tallies: dict[str, dict[str, int]]


class Cleaner:
    """Cleans batch by batch, in order of arrival.

    What becomes of a conversation depends on those before it alone: not on how they were cut into batches, nor on what
    comes later.
    """

    def __init__(self, settings: Clean, sets: Sequence[EvaluationSet], memories: Mapping[str, pl.DataFrame]) -> None:
        """`memories` is what earlier batches added, together."""
        self.settings, self.sets = settings, sets
        self._said = ExactDuplicates(memories["said"])
        self._crowding = Crowding(settings.max_conversations_per_person, memories["people"])
        alike, people = settings.near_duplicates, settings.templates
        self._near = None if alike is None else NearDuplicates(alike, memories["near"])
        self._templates = None if people is None else Templates(people, memories["openings"])
        self._n_remembered = {name: memories[name].height for name in MEMORIES}

    def clean(self, looked: Looked) -> Cleaned:
        """The messages of the next batch filtered in this order; `message_index` counts from 0 again.

        1. Empty messages go, one by one: nothing was said, and the talk round them may still be whole.
        2. Conversations go that are in a language not wanted, share text with an evaluation set, or have too little.
        3. Of conversations with the same or nearly the same texts the first stays.
        4. Of each person (in any role) the first `max_conversations_per_person` stay, of those left by step 3.
        """
        told = looked.messages
        is_said = pl.col("text").str.strip_chars().fill_null("") != ""
        rejected = [_empty(told.filter(~is_said))]
        index = pl.int_range(pl.len(), dtype=pl.Int32).over("conversation_id")
        left = told.filter(is_said).with_columns(message_index=index)
        too_little = (self._foreign, self._contaminated, self._too_thin)
        for judge in (*too_little, self._said.judge, self._alike, self._crowding.judge):
            found = judge(left)
            rejected.append(_quarantined(left, found))
            left = left.join(found, on="conversation_id", how="anti", maintain_order="left")
        if self._templates:
            left = with_flag(left, "template", self._templates.judge(left))
        quarantine = pl.concat(rejected)
        return Cleaned(left, quarantine, self._added(), _tallies(told, left, quarantine, looked.n_scrubbed))

    def _foreign(self, messages: pl.DataFrame) -> pl.DataFrame:
        return outside(messages, self.settings.languages) if self.settings.languages else _none()

    def _contaminated(self, messages: pl.DataFrame) -> pl.DataFrame:
        reason = pl.format("text of an evaluation set: {}", "evaluation_set")
        return contaminated(messages, self.sets).select("conversation_id", reason=reason) if self.sets else _none()

    def _too_thin(self, messages: pl.DataFrame) -> pl.DataFrame:
        return too_thin(messages, self.settings.min_messages)

    def _alike(self, messages: pl.DataFrame) -> pl.DataFrame:
        reason = pl.format("nearly the same messages as another conversation: {}", "earlier")
        return self._near.judge(messages).select("conversation_id", reason=reason) if self._near else _none()

    def _added(self) -> dict[str, pl.DataFrame]:
        """What each memory gained since it was last asked."""
        known = self._n_remembered
        added = {
            "said": self._said.known[known["said"] :],
            "near": self._near.known(known["near"]) if self._near else KNOWN.to_frame(),
            "openings": self._templates.known()[known["openings"] :] if self._templates else USES.to_frame(),
            "people": self._crowding.known[known["people"] :],
        }
        self._n_remembered = {name: known[name] + rows.height for name, rows in added.items()}
        return added


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema={"conversation_id": pl.String, "reason": pl.String})


def _empty(messages: pl.DataFrame) -> pl.DataFrame:
    """The quarantine row of each message without text."""
    record = pl.format("{}:{}", "conversation_id", "message_index")
    return messages.select("source", record=record, reason=pl.lit("empty message"), excerpt="text")


def _quarantined(messages: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The quarantine row of each conversation found: its source and how it begins."""
    first = messages.join(found, on="conversation_id", how="inner", maintain_order="left").filter(message_index=0)
    return first.select("source", "reason", record="conversation_id", excerpt=pl.col("text").str.head(200)).select(
        list(schemas.QUARANTINE)
    )


def _tallies(
    before: pl.DataFrame, after: pl.DataFrame, quarantine: pl.DataFrame, n_scrubbed: dict[str, int]
) -> dict[str, dict[str, int]]:
    """The counts of a batch, as the metrics of the stage name them."""
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
