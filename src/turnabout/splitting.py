"""Train, validation and test by person: a hash of the person decides, so nobody moves as the log grows."""

import hashlib
from datetime import UTC, datetime

import polars as pl

from turnabout import schemas
from turnabout.errors import ConfigError, DataError
from turnabout.params import Split


def assign(messages: pl.DataFrame, settings: Split, seed: int) -> pl.DataFrame:
    """The split of each conversation (`schemas.SPLITS`), sorted; its person is the writer of its first user message.

    Without `test_from` the person's share (see `share_of`) decides: below `test` is test, below `test + validation` is
    validation, else train. With it, conversations that begin on or after that day are test, and before it (or without a
    time) the share decides between validation and train alone. Either way a test conversation is excluded when anybody
    in it, in any role, also speaks in train or validation: the test set is a set of strangers.
    """
    conversations = _conversations(messages)
    shares = {person: share_of(person, seed) for person in conversations["user_key"].unique()}
    share = pl.col("user_key").replace_strict(shares, return_dtype=pl.Float64)
    if settings.test_from is None:
        is_test, validation_from = share < settings.test, settings.test
    else:
        is_test, validation_from = (pl.col("at") >= _midnight(settings.test_from)).fill_null(False), 0.0
    split = (
        pl.when(is_test)
        .then(pl.lit("test"))
        .when(share < validation_from + settings.validation)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return _without_acquaintances(conversations.with_columns(split=split)).select(list(schemas.SPLITS))


def share_of(person: str, seed: int) -> float:
    """A number in [0, 1) that is this person's for this seed: the first 52 bits of SHA-256 of `seed:person`."""
    return int(hashlib.sha256(f"{seed}:{person}".encode()).hexdigest()[:13], 16) / 16**13


def refuse_leaks(splits: pl.DataFrame) -> None:
    """Raise `DataError`, with an example, where one person's conversations are in two of train, validation and test."""
    used = splits.filter(pl.col("split") != "excluded")
    leaks = used.group_by("user_key").agg(pl.col("split").unique().sort()).filter(pl.col("split").list.len() > 1)
    if leaks.height:
        person, found = leaks.sort("user_key").row(0)
        raise DataError(
            f"splits: more than one split holds {leaks.height} of the people, such as '{person}' in {found}; "
            "each must be in one of train, validation, test; run the split stage again on the whole table of messages"
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


def _conversations(messages: pl.DataFrame) -> pl.DataFrame:
    """One conversation: who asks, who else speaks, when it began."""
    return (
        messages.sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            user_key=pl.col("user_key").filter(role="user").first(),
            people=pl.col("user_key").drop_nulls().unique(maintain_order=True),
            at=pl.col("at").min(),
        )
    )


def _without_acquaintances(conversations: pl.DataFrame) -> pl.DataFrame:
    """Test conversations with anybody who speaks in train or validation marked as excluded."""
    speakers = conversations.select("conversation_id", "split", person="people").explode("person")
    seen = speakers.filter(pl.col("split") != "test").select("person")
    shared = speakers.filter(split="test").join(seen, on="person", how="semi")["conversation_id"].unique()
    is_shared = pl.col("conversation_id").is_in(shared.implode())
    return conversations.with_columns(split=pl.when(is_shared).then(pl.lit("excluded")).otherwise("split"))


def _midnight(day: str) -> datetime:
    """The first moment of an ISO date in UTC."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"split.test_from: '{day}' is not a day such as 2018-09-01; give one or null") from error
