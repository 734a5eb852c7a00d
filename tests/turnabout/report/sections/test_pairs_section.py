import polars as pl

from turnabout.report import Inputs, render
from turnabout.report.sections.pairs import criticised, examples


def test_replies_with_a_kept_critique_are_counted_where_an_arm_reads_critiques(run: Inputs) -> None:
    # drift built on reply 1 of c1 (critique kept) and of c2 (dropped as too short); follow_up reads no critiques
    assert criticised(run, "drift") == {"n": 2, "kept": 1}
    assert criticised(run, "follow_up") is None
    assert "1 of 2 criticised replies had a critique that passed its checks" in render(run)


def test_accuracies_of_the_reward_model_come_with_interval_or_reason(run: Inputs) -> None:
    # 3 of 4 right; Wilson 95 %, z = 1.96: (0.75 + z²/8 ± z·√(0.75·0.25/4 + z²/64)) / (1 + z²/4) = [0.30, 0.95]
    page = render(run)

    assert '0.75<span class="interval">[0.30, 0.95]</span>' in page
    assert "not measured: no pair in this split" in page


def test_another_conversation_comes_before_a_second_pair_of_the_same(run: Inputs) -> None:
    (pair,) = run.pairs["follow_up"].iter_slices()
    built = pl.concat(
        pair.with_columns(pair_id=pl.lit(name), conversation_id=pl.lit(talk), margin=margin)
        for name, talk, margin in (("1", "a", 0.9), ("2", "a", 0.8), ("3", "b", 0.1))
    )

    assert [row["pair_id"] for row in examples(built, 3)] == ["1", "3", "2"]
