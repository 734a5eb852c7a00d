"""All filters on one arm: what is read, dropped and left unchanged."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest
import yaml

from tests.source_tree import ROOT
from tests.turnabout.quality.conftest import Build, drop_reasons
from turnabout.core import schemas
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.quality import Quality, ScreenedPairs, screen_pairs, summarise_pairs
from turnabout.quality.base import Filter, FilterContext, drop_pairs
from turnabout.quality.readings import TopShare
from turnabout.quality.strength import Strength

Messages = Callable[..., pl.DataFrame]

ALL_OFF = {
    "leaks": False,
    "contradictions": False,
    "max_length_ratio": None,
    "strength": None,
    "difficulty": None,
    "ches": None,
    "max_per_person": None,
}

ALL_ON = Quality(
    leaks=True,
    contradictions=True,
    max_length_ratio=4,
    strength=Strength(),
    difficulty=TopShare(drop_top=0.1),
    ches=TopShare(drop_top=0.1),
    max_per_person=1,
)


def quality(**options: Any) -> Quality:
    return Quality(**{**ALL_OFF, **options})


def drop_forbidden(pairs: pl.DataFrame, text: str, _context: FilterContext) -> pl.DataFrame:
    return drop_pairs(pairs, pl.col("chosen") == text, "forbidden")


def fail_to_open() -> Checkpoint:
    return pytest.fail("opened")


@pytest.fixture
def policy(tiny_checkpoint: Path) -> Callable[[], Checkpoint]:
    return lambda: load_checkpoint(tiny_checkpoint, "float32")


@pytest.fixture
def screen(messages: Messages) -> Callable[..., ScreenedPairs]:
    def screen(
        pairs: pl.DataFrame, settings: Quality, policy: Callable[[], Checkpoint] = fail_to_open
    ) -> ScreenedPairs:
        return screen_pairs(pairs, settings, messages=messages("a", "hi"), open_policy=policy, batch_size=4, seed=1)

    return screen


Screen = Callable[..., ScreenedPairs]


def test_every_field_of_the_section_declares_one_filter() -> None:
    assert len(ALL_ON.enabled_filters()) == len(Quality.model_fields)
    assert quality().enabled_filters() == []
    assert [declared.reads_policy for declared, _ in ALL_ON.enabled_filters()] == [False] * 3 + [True] * 3 + [False]


def test_shipped_section_lists_the_filters_in_their_order() -> None:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["build_pairs"]["quality"]
    assert list(shipped) == list(Quality.model_fields)


def test_new_filter_is_a_function_and_a_field(pairs: Build, screen: Screen) -> None:
    class Extended(Quality):
        forbidden: Annotated[str | None, Filter(drop_forbidden)]

    built = pairs(("a", "yes", "no"), ("b", "no", "yes"))
    screened = screen(built, Extended(**ALL_OFF, forbidden="no"))
    assert drop_reasons(screened.pairs) == {"a": None, "b": "forbidden"}


def test_screening_with_all_filters_off_changes_nothing(pairs: Build, screen: Screen) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"), ("c", "x", "x" * 99))
    screened = screen(built, quality())
    assert screened.pairs.equals(built)
    assert screened.reports == {}


def test_policy_is_not_opened_if_no_comparable_pair_is_kept(pairs: Build, screen: Screen) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"), ("c", "alone", None))
    everything = quality(contradictions=True, strength=Strength(), ches=TopShare(drop_top=0.5))
    screened = screen(built, everything)
    assert screened.pairs["keep"].to_list() == [False, False, True]
    assert screened.reports == {}


def test_policy_reads_the_pairs_once_for_all_measures(
    pairs: Build, screen: Screen, policy: Callable[[], Checkpoint]
) -> None:
    opened = []

    def open_policy() -> Checkpoint:
        opened.append("policy")
        return policy()

    both = quality(difficulty=TopShare(drop_top=0.5), ches=TopShare(drop_top=0))
    screened = screen(pairs(("a", "yes", "no"), ("b", "no", "yes")), both, open_policy)
    assert opened == ["policy"]
    assert screened.pairs["ches"].null_count() == 0  # that of the pair which `difficulty` dropped, too


def test_highest_share_of_training_pairs_is_dropped(
    pairs: Build, screen: Screen, policy: Callable[[], Checkpoint]
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
    screened = screen(built, quality(difficulty=TopShare(drop_top=0.3)), policy).pairs
    assert drop_reasons(screened) == dict.fromkeys("0bcdw") | {"a": "too difficult"}
    assert screened["difficulty"].is_null().to_list() == [False] * 5 + [True]
    assert screened["ches"].null_count() == screened.height


def test_share_of_zero_measures_and_drops_nothing(
    pairs: Build, screen: Screen, policy: Callable[[], Checkpoint]
) -> None:
    screened = screen(pairs(("a", "yes", "no")), quality(ches=TopShare(drop_top=0)), policy)
    assert screened.pairs["keep"].all()
    assert screened.pairs["ches"].null_count() == 0


def test_measures_of_a_flipped_pair_are_those_of_its_new_sides(
    pairs: Build, screen: Screen, policy: Callable[[], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_weak(frame: pl.DataFrame, *_: Any, **__: Any) -> tuple[pl.DataFrame, dict[str, Any]]:
        return frame.with_columns(strength_mean=pl.Series([-1.0, 1.0]), strength_std=0.1), {}

    built = pairs(("a", "yes", "no way"), ("b", "fine", "so so"))
    both = {"ches": TopShare(drop_top=0), "difficulty": TopShare(drop_top=0)}
    flipped = pairs(("a", "no way", "yes"), ("b", "fine", "so so"))
    expected = screen(flipped, quality(**both), policy).pairs
    monkeypatch.setattr("turnabout.quality.relabelling.measure_strength", measure_weak)
    strength = Strength(wrong=0.5, wrong_are="flipped", ambiguous_are="kept")
    screened = screen(built, quality(**both, strength=strength), policy)
    columns = ["chosen", "rejected"]
    assert screened.pairs.select(columns).equals(expected.select(columns))
    for measure in ("ches", "difficulty"):
        assert screened.pairs[measure].to_list() == pytest.approx(expected[measure].to_list(), rel=1e-4)
    assert screened.reports == {"strength": {"n_wrong": 1, "n_ambiguous": 0}}


def test_summary_counts_reasons_by_kind_and_has_every_measure(pairs: Build, screen: Screen, messages: Messages) -> None:
    built = pairs(
        ("a", "yes", "no", {"margin": 1.0, "reason": "softened: strength"}),
        ("b", "x", "xx", {"margin": 3.0, "user_key": "user of a"}),
        ("c", "yes", "no", {"keep": False, "reason": "contradiction: d prefers the opposite"}),
        ("d", "no", "yes", {"keep": False, "reason": "contradiction: c prefers the opposite"}),
    )
    summary = summarise_pairs(screen(built, quality()), messages("a", "hi", "no"), 1)
    counts = (summary["n_pairs"], summary["n_kept"], summary["n_people"], summary["kept_by_split"])
    assert counts == (4, 2, 1, {"train": 2})
    assert summary["dropped_by_reason"] == {"contradiction": 2}
    assert summary["changed_by_reason"] == {"softened": 1}
    assert summary["margin"] == {"n": 2, "mean": 2.0, "low": 1.5, "median": 2.0, "high": 2.5}
    assert (summary["difficulty"], summary["ranked_wrongly_before_training"], summary["strength"]) == (None, None, None)
    assert summary["people"]["kappa"]["reason"] == "nobody compared replies in these conversations"


def test_summary_of_no_pairs_has_zero_counts(screen: Screen, messages: Messages) -> None:
    summary = summarise_pairs(screen(schemas.PAIRS.to_frame(), ALL_ON), messages("a", "hi"), 1)
    assert (summary["n_pairs"], summary["n_kept"], summary["dropped_by_reason"]) == (0, 0, {})
