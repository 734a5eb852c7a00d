"""Train, validation and test by person: a hash of the person decides, so nobody moves as the log grows.

Where only users are people, no conversation ever moves either. Where people talk to people and `test_from` is not set,
a later conversation may tie an older one to another split, and then the older one becomes excluded.
"""

import hashlib
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import polars as pl
from pydantic import field_validator, model_validator

from turnabout.core import schemas
from turnabout.core.config import Section, Share
from turnabout.errors import DataError

#: What is read of the messages.
COLUMNS = pl.Schema(
    {name: schemas.MESSAGES[name] for name in ("conversation_id", "message_index", "role", "at", "user_key")}
)

#: Why a conversation is excluded, by the split it would have been in.
REASONS = {"train": "validation user in train", "test": "known person in test"}


class Split(Section):
    validation: Share
    """Share of users held out for choices (held-out pairs, thresholds)."""
    test: Share
    """Share of users held out for results, where `test_from` is null."""
    test_from: date | None
    """ISO date: conversations from this day on are test, and those with a person seen before it are excluded."""

    @field_validator("test_from", mode="before")
    @classmethod
    def _is_a_day(cls, entry: Any) -> date | None:
        """In quotes: DVC refuses YAML's own dates, and pydantic would take 20180901 for seconds since 1970."""
        if entry is None:
            return None
        try:
            return date.fromisoformat(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(f"'{entry}' is not a day in quotes such as \"2018-09-01\"; give one or null") from error

    @model_validator(mode="after")
    def _leave_somebody_to_train_on(self) -> "Split":
        held_out = self.validation + (self.test if self.test_from is None else 0)
        if held_out >= 1:
            raise ValueError(f"validation and test hold out {held_out:g} of the users; together they must be below 1")
        return self


class Assigned(NamedTuple):
    """The split of each conversation (`schemas.SPLITS`, sorted), and how many were excluded, by reason."""

    splits: pl.DataFrame
    excluded_by_reason: dict[str, int]


def conversations(messages: pl.DataFrame) -> pl.DataFrame:
    """One conversation: who asks, everybody who speaks, when it began; sorted by id."""
    return (
        messages.sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            user_key=pl.col("user_key").filter(role="user").first(),
            people=pl.col("user_key").drop_nulls().unique(maintain_order=True),
            at=pl.col("at").min(),
        )
    )


def assign(conversations: pl.DataFrame, settings: Split, seed: int) -> Assigned:
    """Every one of the `conversations` in the split of its user, the writer of its first user message, or excluded.

    Without `test_from` the user's share (see `share_of`) decides: below `test` is test, below `test + validation` is
    validation, else train. With it, conversations that begin on or after that day are test, and before it (or without a
    time) the share decides between validation and train alone. Then two rules, where people talk to people:

    - Validation users are held out: a training conversation in which one of them speaks, in any role, is excluded.
      Only users are, so the assistant's side of a validation conversation may be somebody who speaks in train.
    - Test people are strangers: a test conversation is excluded when anybody in it, in any role, also speaks in a
      conversation of train or validation, even in one that the first rule excludes.
    """
    meant = conversations.with_columns(split=_meant(conversations, settings, seed))
    is_excluded = pl.col("conversation_id").is_in(_leaking(meant).implode())
    excluded = dict(meant.filter(is_excluded)["split"].value_counts().iter_rows())
    splits = meant.with_columns(split=pl.when(is_excluded).then(pl.lit("excluded")).otherwise("split"))
    return Assigned(
        splits.select(list(schemas.SPLITS)).sort("conversation_id"),
        {reason: excluded.get(split, 0) for split, reason in REASONS.items()},
    )


def share_of(person: str, seed: int) -> float:
    """A number in [0, 1) that is this person's for this seed: the first 52 bits of SHA-256 of `seed:person`."""
    return int(hashlib.sha256(f"{seed}:{person}".encode()).hexdigest()[:13], 16) / 16**13


def refuse_leaks(conversations: pl.DataFrame, splits: pl.DataFrame) -> None:
    """Raise `DataError`, with an example, where a validation user speaks in train, or anybody in test and elsewhere."""
    used = splits.filter(pl.col("split") != "excluded")
    told = conversations.drop("user_key").join(used, on="conversation_id")
    leaking = _leaking(told)
    if leaking.len():
        example = told.filter(conversation_id=leaking.min()).row(0, named=True)
        raise DataError(
            f"splits: {leaking.len()} conversations share people with another split, such as "
            f"'{example['conversation_id']}' of {example['people']} in {example['split']}; "
            "run the split stage again on the whole table of messages"
        )


def empty_split_warnings(splits: pl.DataFrame) -> list[str]:
    """What a reader of the results must know: each empty split, and what to do about it."""
    remedies = {
        "train": "lower split.validation and split.test, set split.test_from later, or add logs of more people",
        "validation": "raise split.validation or add logs of more people",
        "test": "raise split.test, set split.test_from to a day before new people come, or add logs of more people",
    }
    n_people = splits["user_key"].n_unique()
    people = f"{n_people} person" if n_people == 1 else f"{n_people} people"
    found = splits["split"].unique().to_list()
    return [
        f"{split} split is empty ({splits.height} conversations of {people} in all): {remedy}"
        for split, remedy in remedies.items()
        if split not in found
    ]


def _meant(conversations: pl.DataFrame, settings: Split, seed: int) -> pl.Series:
    """The split of each conversation by its user and its day alone."""
    share = pl.col("user_key").map_elements(lambda person: share_of(person, seed), pl.Float64)
    if settings.test_from is None:
        is_test, validation_from = share < settings.test, settings.test
    else:
        midnight = datetime.combine(settings.test_from, time.min, UTC)
        is_test, validation_from = (pl.col("at") >= midnight).fill_null(False), 0.0
    split = (
        pl.when(is_test)
        .then(pl.lit("test"))
        .when(share < validation_from + settings.validation)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return conversations.select(split=split)["split"]


def _leaking(conversations: pl.DataFrame) -> pl.Series:
    """Ids of training conversations with a validation user and of test conversations with a known person, unsorted."""
    speakers = conversations.select("conversation_id", "split", person="people").explode("person")
    held_out = conversations.filter(split="validation").select(person="user_key")
    known = speakers.filter(pl.col("split") != "test").select("person")
    leaks = [
        speakers.filter(split=split).join(people, on="person", how="semi")
        for split, people in (("train", held_out), ("test", known))
    ]
    return pl.concat(leaks)["conversation_id"].unique()
