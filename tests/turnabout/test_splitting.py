from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from turnabout import schemas
from turnabout.errors import ConfigError, DataError
from turnabout.params import Split
from turnabout.splitting import assign, empty_split_warnings, refuse_leaks, share_of

Build = Callable[..., pl.DataFrame]


def settings(**changes: Any) -> Split:
    return Split.model_validate({"validation": 0.2, "test": 0.2, "test_from": None, **changes})


def splits_of(log: pl.DataFrame, **changes: Any) -> dict[str, str]:
    return dict(assign(log, settings(**changes), seed=7).select("conversation_id", "split").iter_rows())


def with_partner(log: pl.DataFrame, partner: str) -> pl.DataFrame:
    return log.with_columns(user_key=pl.coalesce("user_key", pl.lit(partner)))


def test_a_share_is_the_first_52_bits_of_the_hash_of_seed_and_person() -> None:
    """printf 7:ann | sha256sum begins 670a81c08fadf fe4; 0x670a81c08fadf / 16^13 = .402504…"""
    assert share_of("ann", seed=7) == 0x670A81C08FADF / 16**13
    assert share_of("ann", seed=7) == pytest.approx(0.402504, abs=1e-6)


def test_the_share_of_the_first_user_decides(messages: Build) -> None:
    """First two hex digits of each hash / 256: cyd 1b → .11, bob 44 → .27, fay 49 → .29, ann 67 → .40, eve e8 → .91."""
    log = pl.concat([messages(f"of {name}", "hi", "yo", user=name) for name in ("ann", "bob", "cyd", "eve", "fay")])
    assigned = assign(log, settings(), seed=7)
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


@pytest.mark.parametrize("day", ["1 September", "2018-09-31", ""])
def test_a_day_that_is_none_is_an_error_that_names_it(messages: Build, day: str) -> None:
    with pytest.raises(ConfigError, match=f"split.test_from: '{day}' is not a day such as 2018-09-01"):
        splits_of(messages("a", "hi", "yo"), test_from=day)


def test_a_log_of_one_person_is_one_split_and_two_warnings(messages: Build) -> None:
    assigned = assign(pl.concat([messages(name, "hi", "yo", user="ann") for name in "xyz"]), settings(), seed=7)
    assert assigned["split"].to_list() == ["train"] * 3
    told = empty_split_warnings(assigned)
    assert [warning.split(": ")[0] for warning in told] == [
        "validation split is empty (3 conversations of 1 person in all)",
        "test split is empty (3 conversations of 1 person in all)",
    ]
    assert "raise split.test" in told[1]


def test_a_person_in_two_splits_is_refused_with_an_example() -> None:
    splits = pl.DataFrame(
        [("a", "ann", "test"), ("b", "ann", "train"), ("c", "bob", "train"), ("d", "bob", "excluded")],
        schema=schemas.SPLITS,
        orient="row",
    )
    with pytest.raises(DataError, match=r"holds 1 of the people, such as 'ann' in \['test', 'train'\]"):
        refuse_leaks(splits)
    refuse_leaks(splits.tail(3))
