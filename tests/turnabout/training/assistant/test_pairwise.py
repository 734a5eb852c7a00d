"""Pairs as rows: tokens, reference log-probabilities, and the loss."""

from dataclasses import replace

import polars as pl
import pytest

from turnabout.losses.dpo import DPO
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.training.assistant.pairwise import build_pair_objective, compute_pair_logps, encode_pairs
from turnabout.training.assistant.rows import add_reference_logps
from turnabout.training.engine.adapter import create_adapter

TWO = [("hi", "good", "bad"), ("yo", "fine", "ugly")]


def test_pair_row_holds_both_answers_after_one_prompt_as_targets(tiny, pairs) -> None:
    (row,), dropped = encode_pairs(tiny.chat, pairs(("hi", "good", "bad"), weight=0.5), 100)
    head = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny.tokenizer.decode(row.chosen.input_ids) == head + "good<|im_end|>"
    assert tiny.tokenizer.decode(row.rejected.input_ids) == head + "bad<|im_end|>"
    assert (sum(row.chosen.is_target), sum(row.rejected.is_target), row.weight) == (5, 4, 0.5)
    assert not dropped


def test_encode_pairs_drops_unusable_pairs_with_a_reason(tiny, pairs) -> None:
    frame = pairs(("hi", "same", "same"), ("hi", " ", "bad"), ("hi", "good", "x" * 80), ("hi", "good", "bad"))
    rows, dropped = encode_pairs(tiny.chat, frame, 100)
    assert len(rows) == 1
    assert dropped == {"chosen equals rejected": 1, "empty completion": 1, "longer than max_length": 1}


def test_rejected_answer_follows_its_own_prompt_if_it_has_one(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "yo"}]])
    (row,), _ = encode_pairs(tiny.chat, pairs(("hi", "good", "bad")).with_columns(rejected_prompt=other), 100)
    assert "user\nhi<|im_end|>" in tiny.tokenizer.decode(row.chosen.input_ids)
    assert "user\nyo<|im_end|>" in tiny.tokenizer.decode(row.rejected.input_ids)
    same_text, _ = encode_pairs(tiny.chat, pairs(("hi", "good", "good")).with_columns(rejected_prompt=other), 100)
    assert len(same_text) == 1  # the same reply may be good after one prompt and bad after another


def test_encode_pairs_drops_a_reply_alone(tiny, pairs) -> None:
    alone = pairs(("hi", "good", "")).with_columns(rejected=pl.lit(None, pl.String))
    assert encode_pairs(tiny.chat, alone, 100) == ([], {"one reply alone": 1})


def test_encode_pairs_takes_only_kept_training_pairs(tiny, pairs) -> None:
    frame = pl.concat([pairs(*TWO), pairs(*TWO, keep=False), pairs(*TWO, split="validation")])
    assert len(encode_pairs(tiny.chat, frame, 100)[0]) == 2


def test_reference_logps_are_the_sums_over_the_answers(tiny, pairs, settings) -> None:
    (row,) = add_reference_logps(
        tiny.model, encode_pairs(tiny.chat, pairs(TWO[0]), 100)[0], settings, compute_pair_logps
    )
    expected = [compute_token_logps(tiny.model, pad_rows([side])).sum().item() for side in (row.chosen, row.rejected)]
    assert row.reference_logps == pytest.approx(expected, abs=1e-4)


def test_untrained_adapter_has_margin_zero_and_loss_log_two(tiny, pairs, settings) -> None:
    rows = add_reference_logps(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, compute_pair_logps)
    loss, metrics = build_pair_objective(DPO())(create_adapter(tiny, 4, 7), rows)
    assert loss.item() == pytest.approx(0.693147, abs=1e-5)  # log 2
    assert metrics["margin"] == pytest.approx(0, abs=1e-5)


def test_weight_of_a_pair_multiplies_its_loss(tiny, pairs, settings) -> None:
    rows = add_reference_logps(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, compute_pair_logps)
    # log 2 each at the start: (3·log 2 + 0·log 2) / 2
    weighted = [replace(rows[0], weight=3.0), replace(rows[1], weight=0.0)]
    loss, _ = build_pair_objective(DPO())(create_adapter(tiny, 4, 7), weighted)
    assert loss.item() == pytest.approx(1.5 * 0.693147, abs=1e-5)


def test_uncertain_label_has_the_expected_loss(tiny, pairs) -> None:
    (row,), _ = encode_pairs(tiny.chat, pairs(TWO[0], p_win=0.75), 100)
    row = replace(row, reference_logps=(0.0, 20.0))
    model = create_adapter(tiny, 4, 7)
    correct, flipped = (build_pair_objective(DPO())(model, [replace(row, p_label=p)])[0].item() for p in (1.0, 0.0))
    assert correct != pytest.approx(flipped, abs=0.5)
    assert build_pair_objective(DPO())(model, [row])[0].item() == pytest.approx(
        0.75 * correct + 0.25 * flipped, abs=1e-5
    )
