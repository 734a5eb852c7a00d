"""All filters after one another on one arm: what is asked of the policy, what is dropped, and what stays as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.turnabout.quality.conftest import Build, reasons
from turnabout.core import schemas
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.quality import Quality, screen_pairs, summarise_pairs
from turnabout.quality.settings import TopShare
from turnabout.quality.strength import Strength

Messages = Callable[..., pl.DataFrame]


def quality(**options: Any) -> Quality:
    nothing = dict.fromkeys(("max_length_ratio", "strength", "difficulty", "ches", "max_per_person"))
    return Quality(leaks=False, contradictions=False, **{**nothing, **options})


def never() -> Checkpoint:
    return pytest.fail("opened")


@pytest.fixture
def policy(tiny_checkpoint: Path) -> Callable[[], Checkpoint]:
    return lambda: load_checkpoint(tiny_checkpoint, "float32")


def test_with_everything_off_pairs_stay_as_they_are_and_no_model_is_opened(pairs: Build, messages: Messages) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"), ("c", "x", "x" * 99))
    found = screen_pairs(built, messages("a", "hi"), quality(), never, 4, 1)
    assert found.pairs.equals(built)
    assert found.strength is None


def test_the_policy_is_not_opened_for_pairs_that_are_dropped_already(pairs: Build, messages: Messages) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"), ("c", "alone", None))
    settings = quality(ches=TopShare(drop_top=0.5)).model_copy(update={"contradictions": True})
    found = screen_pairs(built, messages("a", "hi"), settings, never, 4, 1).pairs
    assert found["keep"].to_list() == [False, False, True]


def test_the_highest_share_of_training_pairs_goes_and_validation_pairs_are_only_measured(
    pairs: Build, messages: Messages, policy: Callable[[], Checkpoint]
) -> None:
    # one token against many: by far the least likely, so the most difficult where it is chosen
    long, short = "a long reply with very many letters in it", "no"
    built = pairs(
        ("a", long, short),
        ("b", short, long),
        ("c", short, "yes"),
        ("d", short, "ok!"),
        ("0", long, short, {"split": "validation"}),  # as difficult as the first, and before it by id
        ("w", long, None),
    )
    found = screen_pairs(built, messages("a", "hi"), quality(difficulty=TopShare(drop_top=0.3)), policy, 4, 1).pairs
    assert reasons(found) == dict.fromkeys("0bcdw") | {"a": "too difficult"}
    assert found["difficulty"].is_null().to_list() == [False] * 5 + [True]
    assert found["ches"].null_count() == found.height


def test_zero_measures_and_drops_nothing(pairs: Build, messages: Messages, policy: Callable[[], Checkpoint]) -> None:
    found = screen_pairs(pairs(("a", "yes", "no")), messages("a", "hi"), quality(ches=TopShare(drop_top=0)), policy, 4, 1)
    assert found.pairs["keep"].all()
    assert found.pairs["ches"].null_count() == 0


def test_measures_of_a_flipped_pair_are_those_of_its_new_sides(
    pairs: Build, messages: Messages, policy: Callable[[], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    def weak(frame: pl.DataFrame, *_: Any) -> tuple[pl.DataFrame, dict[str, Any]]:
        return frame.with_columns(strength_mean=pl.Series([-1.0, 1.0]), strength_std=0.1), {}

    built = pairs(("a", "yes", "no way"), ("b", "fine", "so so"))
    both = {"ches": TopShare(drop_top=0), "difficulty": TopShare(drop_top=0)}
    turned = pairs(("a", "no way", "yes"), ("b", "fine", "so so"))
    expected = screen_pairs(turned, messages("a", "hi"), quality(**both), policy, 4, 1).pairs
    monkeypatch.setattr("turnabout.quality.screening.measured", weak)
    strength = Strength(wrong=0.5, wrong_are="flipped", ambiguous_are="kept")
    found = screen_pairs(built, messages("a", "hi"), quality(**both, strength=strength), policy, 4, 1)
    columns = ["chosen", "rejected"]
    assert found.pairs.select(columns).equals(expected.select(columns))
    for measure in ("ches", "difficulty"):
        assert found.pairs[measure].to_list() == pytest.approx(expected[measure].to_list(), rel=1e-4)
    assert found.strength == {"n_wrong": 1, "n_ambiguous": 0}


def test_the_summary_counts_reasons_by_kind_and_tells_every_measure(pairs: Build, messages: Messages) -> None:
    built = pairs(
        ("a", "yes", "no", {"margin": 1.0, "reason": "softened: strength"}),
        ("b", "x", "xx", {"margin": 3.0, "user_key": "user of a"}),
        ("c", "yes", "no", {"keep": False, "reason": "contradiction: d prefers the opposite"}),
        ("d", "no", "yes", {"keep": False, "reason": "contradiction: c prefers the opposite"}),
    )
    told = summarise_pairs(screen_pairs(built, messages("a", "hi"), quality(), never, 4, 1), messages("a", "hi", "no"), 1)
    assert (told["n_pairs"], told["n_kept"], told["n_people"], told["kept_by_split"]) == (4, 2, 1, {"train": 2})
    assert told["dropped_by_reason"] == {"contradiction": 2}
    assert told["changed_by_reason"] == {"softened": 1}
    assert told["margin"] == {"n": 2, "mean": 2.0, "low": 1.5, "median": 2.0, "high": 2.5}
    assert (told["difficulty"], told["ranked_wrongly_before_training"]) == (None, None)
    assert told["people"]["kappa"]["reason"] == "nobody compared replies in these conversations"


def test_no_pair_at_all_has_a_summary_too(messages: Messages) -> None:
    none = schemas.PAIRS.to_frame()
    everything = Quality(
        leaks=True,
        contradictions=True,
        max_length_ratio=4,
        strength=Strength(),
        difficulty=TopShare(drop_top=0.1),
        ches=TopShare(drop_top=0.1),
        max_per_person=1,
    )
    told = summarise_pairs(screen_pairs(none, messages("a", "hi"), everything, never, 4, 1), messages("a", "hi"), 1)
    assert (told["n_pairs"], told["n_kept"], told["dropped_by_reason"]) == (0, 0, {})
