from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.splitting import (
    Split,
    assign_splits,
    compute_share,
    describe_empty_splits,
    refuse_leaks,
    summarize_conversations,
)
from turnabout.errors import DataError

Build = Callable[..., pl.DataFrame]


def make_settings(**changes: Any) -> Split:
    return Split.model_validate({"validation": 0.2, "test": 0.2, "test_from": None, **changes})


def assign_log(log: pl.DataFrame, **changes: Any) -> dict[str, str]:
    """Return the split of each conversation for seed 7."""
    assigned = assign_splits(summarize_conversations(log), make_settings(**changes), seed=7)
    return dict(assigned.splits.select("conversation_id", "split").iter_rows())


def set_partner(log: pl.DataFrame, partner: str) -> pl.DataFrame:
    """Return the log with the `partner` as writer of the replies."""
    return log.with_columns(user_key=pl.coalesce("user_key", pl.lit(partner)))


def test_compute_share_is_the_first_52_bits_of_the_hash() -> None:
    """printf 7:ann | sha256sum begins 670a81c08fadf fe4; 0x670a81c08fadf / 16^13 = .402504…"""
    assert compute_share("ann", seed=7) == 0x670A81C08FADF / 16**13
    assert compute_share("ann", seed=7) == pytest.approx(0.402504, abs=1e-6)


def test_assign_splits_uses_the_share_of_the_first_user(messages: Build) -> None:
    """The shares are .11 for cyd, .27 for bob, .29 for fay, .40 for ann, .91 for eve.

    First two hex digits of each hash / 256: cyd 1b, bob 44, fay 49, ann 67, eve e8.
    """
    log = pl.concat([messages(f"of {name}", "hi", "yo", user=name) for name in ("ann", "bob", "cyd", "eve", "fay")])
    assigned = assign_splits(summarize_conversations(log), make_settings(), seed=7).splits
    assert assigned.rows() == [
        ("of ann", "ann", "train"),
        ("of bob", "bob", "validation"),
        ("of cyd", "cyd", "test"),
        ("of eve", "eve", "train"),
        ("of fay", "fay", "validation"),
    ]
    assert assigned.schema == schemas.SPLITS


def test_assign_splits_keeps_the_split_of_a_person_when_the_log_grows(messages: Build) -> None:
    log = pl.concat([messages(f"{name} 1", "hi", "yo", user=name) for name in ("ann", "bob", "cyd")])
    more = pl.concat([log, *[messages(f"{name} 2", "hi", "yo", user=name) for name in ("bob", "dan", "eve")]])
    assert assign_log(log).items() <= assign_log(more).items()


def test_assign_splits_excludes_test_conversations_with_a_person_of_train(messages: Build) -> None:
    """cyd's share is test, ann's is train; ann answers cyd in one of cyd's two conversations."""
    log = pl.concat(
        [
            messages("own", "hi", "yo", user="ann"),
            set_partner(messages("shared", "hi", "yo", user="cyd"), "ann"),
            set_partner(messages("strange", "hi", "yo", user="cyd"), "zoe"),
        ]
    )
    assert assign_log(log) == {"own": "train", "shared": "excluded", "strange": "test"}


def test_assign_splits_excludes_train_conversations_with_a_validation_user(messages: Build) -> None:
    """bob's share is validation, ann's and eve's are train; eve, who answers bob, may stay in train."""
    log = pl.concat(
        [
            set_partner(messages("asked by bob", "hi", "yo", user="bob"), "eve"),
            set_partner(messages("answered by bob", "hi", "yo", user="ann"), "bob"),
            set_partner(messages("neither", "hi", "yo", user="ann"), "eve"),
        ]
    )
    assigned = assign_splits(summarize_conversations(log), make_settings(), seed=7)
    assert dict(assigned.splits.select("conversation_id", "split").iter_rows()) == {
        "asked by bob": "validation",
        "answered by bob": "excluded",
        "neither": "train",
    }
    assert assigned.excluded_by_reason == {"validation user in train": 1, "known person in test": 0}


def test_people_of_excluded_train_conversations_are_known_in_test(messages: Build) -> None:
    """ann's only conversation of her own is excluded because of bob, and still she may not answer cyd in test."""
    log = pl.concat(
        [
            messages("of bob", "hi", "yo", user="bob"),
            set_partner(messages("of ann", "hi", "yo", user="ann"), "bob"),
            set_partner(messages("of cyd", "hi", "yo", user="cyd"), "ann"),
        ]
    )
    assigned = assign_splits(summarize_conversations(log), make_settings(), seed=7)
    assert dict(assigned.splits.select("conversation_id", "split").iter_rows()) == {
        "of ann": "excluded",
        "of bob": "validation",
        "of cyd": "excluded",
    }
    assert assigned.excluded_by_reason == {"validation user in train": 1, "known person in test": 1}


def test_assign_splits_with_test_from_puts_later_unseen_people_in_test(messages: Build) -> None:
    """With `test_from` the share .11 of cyd means validation, as `test` is ignored."""
    before, after = datetime(2018, 8, 31, 23, 59, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC)
    log = pl.concat(
        [
            messages("a", "hi", "yo", user="ann", at=before),
            messages("b", "hi", "yo", user="cyd", at=before),
            messages("c", "hi", "yo", user="ann", at=after),
            messages("d", "hi", "yo", user="eve", at=after),
            set_partner(messages("e", "hi", "yo", user="gus", at=after), "cyd"),
            messages("f", "hi", "yo", user="hal"),
        ]
    )
    assert assign_log(log, test_from="2018-09-01") == {
        "a": "train",
        "b": "validation",
        "c": "excluded",
        "d": "test",
        "e": "excluded",
        "f": "train",
    }


def test_test_from_uses_the_day_on_which_a_conversation_began(messages: Build) -> None:
    times = [datetime(2018, 8, 31, 23, 59, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC)]
    log = messages("a", "hi", "yo", user="ann").with_columns(at=pl.Series(times, dtype=schemas.MESSAGES["at"]))
    assert assign_log(log, test_from="2018-09-01") == {"a": "train"}


def test_describe_empty_splits_warns_twice_for_a_log_of_one_person(messages: Build) -> None:
    talks = summarize_conversations(pl.concat([messages(name, "hi", "yo", user="ann") for name in "xyz"]))
    assigned = assign_splits(talks, make_settings(), seed=7).splits
    assert assigned["split"].to_list() == ["train"] * 3
    split_warnings = describe_empty_splits(assigned)
    assert [warning.split(": ")[0] for warning in split_warnings] == [
        "validation split is empty (3 conversations of 1 person in all)",
        "test split is empty (3 conversations of 1 person in all)",
    ]
    assert "raise split.test" in split_warnings[1]


def check_leaks(messages: Build, *rows: tuple[str, str, str, str]) -> None:
    """Call `refuse_leaks` on conversations given as (id, user, partner, split)."""
    log = pl.concat([set_partner(messages(name, "hi", "yo", user=user), other) for name, user, other, _ in rows])
    splits = pl.DataFrame([(name, user, split) for name, user, _, split in rows], schema=schemas.SPLITS, orient="row")
    refuse_leaks(summarize_conversations(log), splits)


@pytest.mark.parametrize("other_split", ["train", "validation"])
@pytest.mark.parametrize("test_people", [("ann", "zoe"), ("zoe", "ann"), ("zoe", "bob")])
def test_refuse_leaks_raises_when_a_person_of_test_speaks_in_another_split(
    messages: Build, other_split: str, test_people: tuple[str, str]
) -> None:
    with pytest.raises(DataError, match=r"1 conversations share people .* such as 'b' of \['.*'\] in test"):
        check_leaks(messages, ("a", "ann", "bob", other_split), ("b", *test_people, "test"))
    check_leaks(messages, ("a", "ann", "bob", other_split), ("b", *test_people, "excluded"))


@pytest.mark.parametrize("train_people", [("ann", "zoe"), ("zoe", "ann")])
def test_refuse_leaks_raises_when_a_validation_user_speaks_in_train(
    messages: Build, train_people: tuple[str, str]
) -> None:
    with pytest.raises(DataError, match=r"such as 'b' of \['.*'\] in train"):
        check_leaks(messages, ("a", "ann", "bob", "validation"), ("b", *train_people, "train"))


def test_refuse_leaks_accepts_a_validation_partner_in_train(messages: Build) -> None:
    elsewhere = ("b", "bob", "eve", "train"), ("c", "cyd", "dan", "test")
    check_leaks(messages, ("a", "ann", "bob", "validation"), *elsewhere)
    with pytest.raises(DataError, match="'b'"):  # the user of a validation conversation may not
        check_leaks(messages, ("a", "bob", "ann", "validation"), *elsewhere)


def test_refuse_leaks_accepts_people_of_excluded_conversations_in_test(messages: Build) -> None:
    check_leaks(messages, ("a", "cyd", "ann", "excluded"), ("b", "cyd", "zoe", "test"), ("c", "ann", "eve", "train"))
    with pytest.raises(DataError, match="share people"):
        check_leaks(messages, ("a", "cyd", "ann", "train"), ("b", "cyd", "zoe", "test"), ("c", "ann", "eve", "train"))


def test_assign_splits_leaves_no_leaks(messages: Build) -> None:
    """Each of eight people talks to every other one, so both rules apply."""
    people = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"]
    pairs = list(permutations(people, 2))
    log = pl.concat([set_partner(messages(f"{one} {two}", "hi", "yo", user=one), two) for one, two in pairs])
    splits, excluded = assign_splits(summarize_conversations(log), make_settings(), seed=7)
    refuse_leaks(summarize_conversations(log), splits)
    assert sum(excluded.values()) == splits.filter(split="excluded").height > 0
