from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.splitting import Split, assign, conversations, empty_split_warnings, refuse_leaks, share_of
from turnabout.errors import DataError

Build = Callable[..., pl.DataFrame]


def settings(**changes: Any) -> Split:
    return Split.model_validate({"validation": 0.2, "test": 0.2, "test_from": None, **changes})


def splits_of(log: pl.DataFrame, **changes: Any) -> dict[str, str]:
    return dict(
        assign(conversations(log), settings(**changes), seed=7).splits.select("conversation_id", "split").iter_rows()
    )


def with_partner(log: pl.DataFrame, partner: str) -> pl.DataFrame:
    return log.with_columns(user_key=pl.coalesce("user_key", pl.lit(partner)))


def test_a_share_is_the_first_52_bits_of_the_hash_of_seed_and_person() -> None:
    """printf 7:ann | sha256sum begins 670a81c08fadf fe4; 0x670a81c08fadf / 16^13 = .402504…"""
    assert share_of("ann", seed=7) == 0x670A81C08FADF / 16**13
    assert share_of("ann", seed=7) == pytest.approx(0.402504, abs=1e-6)


def test_the_share_of_the_first_user_decides(messages: Build) -> None:
    """First two hex digits of each hash / 256: cyd 1b → .11, bob 44 → .27, fay 49 → .29, ann 67 → .40, eve e8 → .91."""
    log = pl.concat([messages(f"of {name}", "hi", "yo", user=name) for name in ("ann", "bob", "cyd", "eve", "fay")])
    assigned = assign(conversations(log), settings(), seed=7).splits
    assert assigned.rows() == [
        ("of ann", "ann", "train"),
        ("of bob", "bob", "validation"),
        ("of cyd", "cyd", "test"),
        ("of eve", "eve", "train"),
        ("of fay", "fay", "validation"),
    ]
    assert assigned.schema == schemas.SPLITS


def test_a_person_stays_where_they_are_when_the_log_grows(messages: Build) -> None:
    log = pl.concat([messages(f"{name} 1", "hi", "yo", user=name) for name in ("ann", "bob", "cyd")])
    more = pl.concat([log, *[messages(f"{name} 2", "hi", "yo", user=name) for name in ("bob", "dan", "eve")]])
    assert splits_of(log).items() <= splits_of(more).items()


def test_a_test_conversation_with_somebody_seen_in_training_is_excluded(messages: Build) -> None:
    """cyd's share is test, ann's is train; ann answers cyd in one of cyd's two conversations."""
    log = pl.concat(
        [
            messages("own", "hi", "yo", user="ann"),
            with_partner(messages("shared", "hi", "yo", user="cyd"), "ann"),
            with_partner(messages("strange", "hi", "yo", user="cyd"), "zoe"),
        ]
    )
    assert splits_of(log) == {"own": "train", "shared": "excluded", "strange": "test"}


def test_a_training_conversation_in_which_a_validation_user_speaks_is_excluded(messages: Build) -> None:
    """bob's share is validation, ann's and eve's are train; eve, who answers bob, may stay in train."""
    log = pl.concat(
        [
            with_partner(messages("asked by bob", "hi", "yo", user="bob"), "eve"),
            with_partner(messages("answered by bob", "hi", "yo", user="ann"), "bob"),
            with_partner(messages("neither", "hi", "yo", user="ann"), "eve"),
        ]
    )
    assigned = assign(conversations(log), settings(), seed=7)
    assert dict(assigned.splits.select("conversation_id", "split").iter_rows()) == {
        "asked by bob": "validation",
        "answered by bob": "excluded",
        "neither": "train",
    }
    assert assigned.excluded_by_reason == {"validation user in train": 1, "known person in test": 0}


def test_who_speaks_in_an_excluded_training_conversation_is_no_stranger(messages: Build) -> None:
    """ann's only conversation of her own is excluded because of bob, and still she may not answer cyd in test."""
    log = pl.concat(
        [
            messages("of bob", "hi", "yo", user="bob"),
            with_partner(messages("of ann", "hi", "yo", user="ann"), "bob"),
            with_partner(messages("of cyd", "hi", "yo", user="cyd"), "ann"),
        ]
    )
    assigned = assign(conversations(log), settings(), seed=7)
    assert dict(assigned.splits.select("conversation_id", "split").iter_rows()) == {
        "of ann": "excluded",
        "of bob": "validation",
        "of cyd": "excluded",
    }
    assert assigned.excluded_by_reason == {"validation user in train": 1, "known person in test": 1}


def test_from_a_day_on_conversations_of_strangers_are_test(messages: Build) -> None:
    """With `test_from` the share .11 of cyd means validation, as `test` is ignored."""
    before, after = datetime(2018, 8, 31, 23, 59, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC)
    log = pl.concat(
        [
            messages("a", "hi", "yo", user="ann", at=before),
            messages("b", "hi", "yo", user="cyd", at=before),
            messages("c", "hi", "yo", user="ann", at=after),
            messages("d", "hi", "yo", user="eve", at=after),
            with_partner(messages("e", "hi", "yo", user="gus", at=after), "cyd"),
            messages("f", "hi", "yo", user="hal"),
        ]
    )
    assert splits_of(log, test_from="2018-09-01") == {
        "a": "train",
        "b": "validation",
        "c": "excluded",
        "d": "test",
        "e": "excluded",
        "f": "train",
    }


def test_a_conversation_across_midnight_belongs_to_the_day_it_began(messages: Build) -> None:
    times = [datetime(2018, 8, 31, 23, 59, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC)]
    log = messages("a", "hi", "yo", user="ann").with_columns(at=pl.Series(times, dtype=schemas.MESSAGES["at"]))
    assert splits_of(log, test_from="2018-09-01") == {"a": "train"}


def test_a_log_of_one_person_is_one_split_and_two_warnings(messages: Build) -> None:
    talks = conversations(pl.concat([messages(name, "hi", "yo", user="ann") for name in "xyz"]))
    assigned = assign(talks, settings(), seed=7).splits
    assert assigned["split"].to_list() == ["train"] * 3
    told = empty_split_warnings(assigned)
    assert [warning.split(": ")[0] for warning in told] == [
        "validation split is empty (3 conversations of 1 person in all)",
        "test split is empty (3 conversations of 1 person in all)",
    ]
    assert "raise split.test" in told[1]


def leak(messages: Build, *rows: tuple[str, str, str, str]) -> None:
    """`refuse_leaks` of conversations given as (id, user, who answers, split)."""
    log = pl.concat([with_partner(messages(name, "hi", "yo", user=user), other) for name, user, other, _ in rows])
    splits = pl.DataFrame([(name, user, split) for name, user, _, split in rows], schema=schemas.SPLITS, orient="row")
    refuse_leaks(conversations(log), splits)


@pytest.mark.parametrize("other_split", ["train", "validation"])
@pytest.mark.parametrize("test_people", [("ann", "zoe"), ("zoe", "ann"), ("zoe", "bob")])
def test_somebody_in_test_who_speaks_elsewhere_is_refused(
    messages: Build, other_split: str, test_people: tuple[str, str]
) -> None:
    with pytest.raises(DataError, match=r"1 conversations share people .* such as 'b' of \['.*'\] in test"):
        leak(messages, ("a", "ann", "bob", other_split), ("b", *test_people, "test"))
    leak(messages, ("a", "ann", "bob", other_split), ("b", *test_people, "excluded"))


@pytest.mark.parametrize("train_people", [("ann", "zoe"), ("zoe", "ann")])
def test_a_validation_user_who_speaks_in_train_is_refused(messages: Build, train_people: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"such as 'b' of \['.*'\] in train"):
        leak(messages, ("a", "ann", "bob", "validation"), ("b", *train_people, "train"))


def test_who_answers_in_validation_may_speak_in_train(messages: Build) -> None:
    leak(messages, ("a", "ann", "bob", "validation"), ("b", "bob", "eve", "train"), ("c", "cyd", "dan", "test"))
    with pytest.raises(DataError, match="'b'"):  # who asks there may not
        leak(messages, ("a", "bob", "ann", "validation"), ("b", "bob", "eve", "train"), ("c", "cyd", "dan", "test"))


def test_who_speaks_in_an_excluded_conversation_may_speak_in_test(messages: Build) -> None:
    leak(messages, ("a", "cyd", "ann", "excluded"), ("b", "cyd", "zoe", "test"), ("c", "ann", "eve", "train"))
    with pytest.raises(DataError, match="share people"):
        leak(messages, ("a", "cyd", "ann", "train"), ("b", "cyd", "zoe", "test"), ("c", "ann", "eve", "train"))


def test_what_assign_returns_has_no_leaks(messages: Build) -> None:
    """Every one of eight people talks to every other one: all that is left has passed both rules."""
    people = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"]
    pairs = [(one, two) for one in people for two in people if one != two]
    log = pl.concat([with_partner(messages(f"{one} {two}", "hi", "yo", user=one), two) for one, two in pairs])
    splits, excluded = assign(conversations(log), settings(), seed=7)
    refuse_leaks(conversations(log), splits)
    assert sum(excluded.values()) == splits.filter(split="excluded").height > 0
