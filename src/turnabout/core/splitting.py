"""Assignment of conversations to train, validation and test, by person.

A hash of the person decides, so nobody changes the split as the log grows. If only the users are people, no
conversation changes the split either. If people talk to people and `test_from` is not set, a later conversation may
link an older one to another split, and then the older one becomes excluded.
"""

import hashlib
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import polars as pl
from pydantic import field_validator, model_validator

from turnabout.core import schemas
from turnabout.core.config import Section, Share
from turnabout.errors import DataError

#: The columns of the messages that are read.
SPLIT_COLUMNS = pl.Schema(
    {name: schemas.MESSAGES[name] for name in ("conversation_id", "message_index", "role", "at", "user_key")}
)

#: Said wherever people would be counted, if the log names none.
NO_PEOPLE = "this log names no people; splits are by conversation"

#: The reason why a conversation is excluded, by the split that it would have been in.
EXCLUSION_REASONS = {"train": "validation user in train", "test": "known person in test"}


class Split(Section):
    """Settings of the stage `split`."""

    validation: Share
    """Share of users held out for choices (held-out pairs, thresholds)."""
    test: Share
    """Share of users held out for results; used if `test_from` is null."""
    test_from: date | None
    """ISO date: conversations from this day on are test, and those with a person seen before it are excluded."""

    @field_validator("test_from", mode="before")
    @classmethod
    def _parse_day(cls, entry: Any) -> date | None:
        """Parse a date in quotes.

        DVC refuses YAML's own dates, and pydantic would take 20180901 for seconds since 1970.
        """
        if entry is None:
            return None
        try:
            return date.fromisoformat(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(f"'{entry}' is not a day in quotes such as \"2018-09-01\"; give one or null") from error

    @model_validator(mode="after")
    def _check_shares(self) -> "Split":
        """Raise `ValueError` if no users are left to train on."""
        held_out = self.validation + (self.test if self.test_from is None else 0)
        if held_out >= 1:
            raise ValueError(f"validation and test hold out {held_out:g} of the users; together they must be below 1")
        return self


class SplitAssignment(NamedTuple):
    """The split of each conversation, and the number excluded by reason.

    `splits` has the schema `schemas.SPLITS` and is sorted.
    """

    splits: pl.DataFrame
    excluded_by_reason: dict[str, int]


def summarize_conversations(messages: pl.DataFrame) -> pl.DataFrame:
    """Return one row per conversation, sorted by id.

    The columns are `conversation_id`, `user_key` (the writer of the first user message), `people` (everybody who
    speaks) and `at` (the time of the earliest message).
    """
    return (
        messages.sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            user_key=pl.col("user_key").filter(role="user").first(),
            people=pl.col("user_key").drop_nulls().unique(maintain_order=True),
            at=pl.col("at").min(),
        )
    )


def assign_splits(conversations: pl.DataFrame, settings: Split, seed: int) -> SplitAssignment:
    """Assign each conversation to the split of its user, or exclude it.

    The user is the writer of the first user message. Without `test_from`, the user's share (see `compute_share`)
    decides: below `test` is test, below `test + validation` is validation, else train. With `test_from`, conversations
    that begin on or after that day are test; for earlier conversations and those without a time, the share decides
    between validation and train only. If people talk to people, two rules follow:

    - Validation users are held out: a training conversation in which one of them speaks, in any role, is excluded.
      Only users are held out, so the assistant's side of a validation conversation may speak in train.
    - People in test are unseen: a test conversation is excluded if anybody in it, in any role, also speaks in a
      conversation of train or validation, even in one that the first rule excludes.
    """
    by_user = conversations.with_columns(split=_assign_by_user(conversations, settings, seed))
    is_excluded = pl.col("conversation_id").is_in(_find_leaks(by_user).implode())
    excluded = dict(by_user.filter(is_excluded)["split"].value_counts().iter_rows())
    splits = by_user.with_columns(split=pl.when(is_excluded).then(pl.lit("excluded")).otherwise("split"))
    return SplitAssignment(
        splits.select(list(schemas.SPLITS)).sort("conversation_id"),
        {reason: excluded.get(split, 0) for split, reason in EXCLUSION_REASONS.items()},
    )


def compute_share(person: str, seed: int) -> float:
    """Return the number in [0, 1) of a person for a seed.

    It is made of the first 52 bits of the SHA-256 hash of `seed:person`.
    """
    return int(hashlib.sha256(f"{seed}:{person}".encode()).hexdigest()[:13], 16) / 16**13


def refuse_leaks(conversations: pl.DataFrame, splits: pl.DataFrame) -> None:
    """Raise `DataError`, with an example, if splits share people.

    A validation user must not speak in train, and nobody in test may speak in another split.
    """
    used = splits.filter(pl.col("split") != "excluded")
    assigned = conversations.drop("user_key").join(used, on="conversation_id")
    leaks = _find_leaks(assigned)
    if leaks.len():
        example = assigned.filter(conversation_id=leaks.min()).row(0, named=True)
        raise DataError(
            f"splits: {leaks.len()} conversations share people with another split, such as "
            f"'{example['conversation_id']}' of {example['people']} in {example['split']}; "
            "run the split stage again on the whole table of messages"
        )


def describe_empty_splits(splits: pl.DataFrame) -> list[str]:
    """Return a warning for each empty split that says what to do about it."""
    remedies = {
        "train": "lower split.validation and split.test, set split.test_from later, or add logs of more people",
        "validation": "raise split.validation or add logs of more people",
        "test": "raise split.test, set split.test_from to a day before new people come, or add logs of more people",
    }
    n_people = splits["user_key"].n_unique()
    people = f" of {n_people} {'person' if n_people == 1 else 'people'}"
    if count_unnamed(splits) == splits.height:
        people = ""
    present = splits["split"].unique().to_list()
    return [
        f"{split} split is empty ({splits.height} conversations{people} in all): {remedy}"
        for split, remedy in remedies.items()
        if split not in present
    ]


def count_unnamed(conversations: pl.DataFrame) -> int:
    """Return the number of conversations whose user the log does not name.

    Each of them counts as another person's (`schemas.UNKNOWN_PERSON`).
    """
    return conversations.filter(pl.col("user_key").str.starts_with(schemas.UNKNOWN_PERSON)).height


def describe_unnamed(n_unnamed: int, n_conversations: int) -> list[str]:
    """Return a warning if the log does not name the users of all conversations."""
    if not n_unnamed:
        return []
    if n_unnamed == n_conversations:
        return [f"{NO_PEOPLE}: one person may be in several of them; log user ids to split by person"]
    return [f"{n_unnamed} of {n_conversations} conversations name no person; each counts as a person of its own"]


def _assign_by_user(conversations: pl.DataFrame, settings: Split, seed: int) -> pl.Series:
    """Return the split of each conversation, by its user and day alone."""
    share = pl.col("user_key").map_elements(lambda person: compute_share(person, seed), pl.Float64)
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


def _find_leaks(conversations: pl.DataFrame) -> pl.Series:
    """Return the ids of conversations that share people with another split.

    They are training conversations with a validation user and test conversations with a known person, unsorted.
    """
    speakers = conversations.select("conversation_id", "split", person="people").explode("person")
    held_out = conversations.filter(split="validation").select(person="user_key")
    known = speakers.filter(pl.col("split") != "test").select("person")
    leaks = [
        speakers.filter(split=split).join(people, on="person", how="semi")
        for split, people in (("train", held_out), ("test", known))
    ]
    return pl.concat(leaks)["conversation_id"].unique()
