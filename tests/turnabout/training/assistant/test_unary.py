"""Single labelled replies as rows, and an assistant trained on them."""

from dataclasses import replace

import polars as pl
import pytest
import torch

from turnabout.losses.kto import KTO
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.training.assistant.rows import add_reference_logps
from turnabout.training.assistant.unary import build_unary_objective, compute_unary_logps, encode_unary
from turnabout.training.engine.adapter import create_adapter


@pytest.fixture
def liked_and_disliked(pairs) -> pl.DataFrame:
    return pl.concat(
        [
            pairs(("hi", "good", ""), pair_id="a").with_columns(rejected=pl.lit(None, pl.String)),
            pairs(("yo", "", "ugly"), pair_id="b").with_columns(chosen=pl.lit(None, pl.String)),
        ]
    )


def decode_sides(chat, row):
    return [chat.tokenizer.decode(side.input_ids).split("assistant\n")[-1] for side in (row.completion, row.mismatched)]


def test_each_present_side_is_a_row_with_a_reply_to_another_prompt(tiny, liked_and_disliked, pairs) -> None:
    rows, dropped = encode_unary(tiny.chat, liked_and_disliked, 100)
    assert [(*decode_sides(tiny.chat, row), row.is_liked) for row in rows] == [
        ("good<|im_end|>", "ugly<|im_end|>", True),
        ("ugly<|im_end|>", "good<|im_end|>", False),
    ]
    assert not dropped
    # Both sides of a pair follow one prompt: neither is a mismatch of the other.
    rows, _ = encode_unary(tiny.chat, pairs(("hi", "good", "bad"), ("yo", "fine", "ugly")), 100)
    assert [decode_sides(tiny.chat, row)[1] for row in rows] == [
        f"{word}<|im_end|>" for word in ("fine", "fine", "good", "good")
    ]


def test_disliked_reply_follows_its_own_prompt_if_it_has_one(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "elsewhere"}]])
    (_, disliked), _ = encode_unary(tiny.chat, pairs(("hi", "good", "bad")).with_columns(rejected_prompt=other), 100)
    assert "user\nelsewhere<|im_end|>" in tiny.tokenizer.decode(disliked.completion.input_ids)


def test_encode_unary_drops_unusable_replies_and_cuts_a_long_mismatch(tiny, pairs) -> None:
    rows, dropped = encode_unary(tiny.chat, pairs(("hi", "good", " "), ("yo", "x" * 99, "ugly")), 100)
    assert [decode_sides(tiny.chat, row)[0] for row in rows] == ["good<|im_end|>", "ugly<|im_end|>"]
    assert dropped == {"empty completion": 1, "longer than max_length": 1}
    assert len(rows[0].mismatched.input_ids) == 100


def test_reply_is_its_own_mismatch_when_there_is_one_prompt(tiny, pairs) -> None:
    rows, _ = encode_unary(tiny.chat, pairs(("hi", "good", "bad")), 100)
    assert [decode_sides(tiny.chat, row)[1] for row in rows] == ["good<|im_end|>", "bad<|im_end|>"]


def test_unary_logps_are_sums_over_both_completions(tiny, liked_and_disliked) -> None:
    rows, _ = encode_unary(tiny.chat, liked_and_disliked, 100)
    logps = compute_unary_logps(tiny.model, rows)
    for index, row in enumerate(rows):
        expected = [
            compute_token_logps(tiny.model, pad_rows([side])).sum() for side in (row.completion, row.mismatched)
        ]
        torch.testing.assert_close([logps.completion[index], logps.mismatched[index]], expected)


@pytest.fixture
def rows(tiny, liked_and_disliked, settings):
    return add_reference_logps(
        tiny.model, encode_unary(tiny.chat, liked_and_disliked, 100)[0], settings, compute_unary_logps
    )


def test_untrained_adapter_has_a_unary_loss_of_one_half(tiny, rows) -> None:
    loss, metrics = build_unary_objective(KTO())(create_adapter(tiny, 4, 7), rows)
    assert loss.item() == pytest.approx(0.5, abs=1e-5)  # 1 − σ(0)
    assert metrics["margin"] == pytest.approx(0, abs=1e-5)


def test_batch_of_one_side_has_no_margin(tiny, rows) -> None:
    _, metrics = build_unary_objective(KTO())(create_adapter(tiny, 4, 7), rows[:1])
    assert (metrics["margin"], metrics["rejected_reward"]) == (None, None)
    assert metrics["chosen_reward"] is not None


def test_weight_multiplies_the_loss_and_a_toss_up_label_gives_one_half(tiny, rows) -> None:
    model = create_adapter(tiny, 4, 7)
    weighted, _ = build_unary_objective(KTO())(model, [replace(rows[0], weight=3.0), replace(rows[1], weight=0.0)])
    assert weighted.item() == pytest.approx(0.75, abs=1e-5)  # (3·0.5 + 0·0.5) / 2
    toss_ups = [replace(row, p_label=0.5, reference_logps=(-99.0, row.reference_logps[1])) for row in rows]
    loss, _ = build_unary_objective(KTO())(model, toss_ups)
    assert loss.item() == pytest.approx(0.5, abs=1e-5)  # σ(−x)/2 + σ(x)/2, whatever x is


def test_unary_training_learns_liked_and_disliked_replies(train_tiny, liked_and_disliked) -> None:
    assistant = train_tiny(liked_and_disliked, KTO(), epochs=10)
    assert assistant.metrics["n_pairs"] == 2
    assert assistant.metrics["accuracy"] == 1.0
    assert assistant.history["margin"][-1] > 0


def test_unary_training_on_liked_replies_alone_has_no_margin(train_tiny, pairs) -> None:
    praise = pairs(("hi", "good", ""), ("yo", "fine", "")).with_columns(rejected=pl.lit(None, pl.String))
    assistant = train_tiny(praise, KTO())
    assert assistant.metrics["margin"] is None
    assert assistant.history["rejected_reward"].null_count() == assistant.history.height


@pytest.mark.parametrize("prompts", [("hi",), ("hi", "hi"), ("hi", "yo", "oh", "so")])
def test_liked_replies_pass_the_gate_whatever_their_number_and_prompts(
    train_tiny, pairs, prompts: tuple[str, ...]
) -> None:
    praise = pairs(*((prompt, f"good {n}", "") for n, prompt in enumerate(prompts))).with_columns(
        rejected=pl.lit(None, pl.String)
    )
    assistant = train_tiny(praise, KTO(), gate_pairs=4)
    assert assistant.metrics["gate"]["passed"]
