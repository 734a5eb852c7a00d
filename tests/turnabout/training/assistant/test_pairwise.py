"""Pairs as rows: their tokens, what the frozen policy makes of them, and the loss of a batch."""

import polars as pl
import pytest

from turnabout.losses.dpo import DPO
from turnabout.models.logps import pad, token_logps
from turnabout.training.assistant.pairwise import encode_pairs, pair_logps, pair_objective
from turnabout.training.assistant.reference import with_reference
from turnabout.training.engine.adapter import new_adapter

TWO = [("hi", "good", "bad"), ("yo", "fine", "ugly")]


def test_rows_hold_both_answers_after_one_prompt_with_the_answer_as_target(tiny, pairs) -> None:
    (row,), dropped = encode_pairs(tiny.chat, pairs(("hi", "good", "bad"), weight=0.5), 100)
    head = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny.tokenizer.decode(row.chosen.input_ids) == head + "good<|im_end|>"
    assert tiny.tokenizer.decode(row.rejected.input_ids) == head + "bad<|im_end|>"
    assert (sum(row.chosen.is_target), sum(row.rejected.is_target), row.weight) == (5, 4, 0.5)
    assert not dropped


def test_pairs_that_cannot_teach_leave_with_a_reason(tiny, pairs) -> None:
    frame = pairs(("hi", "same", "same"), ("hi", " ", "bad"), ("hi", "good", "x" * 80), ("hi", "good", "bad"))
    rows, dropped = encode_pairs(tiny.chat, frame, 100)
    assert len(rows) == 1
    assert dropped == {"chosen equals rejected": 1, "empty completion": 1, "longer than max_length": 1}


def test_a_rejected_answer_follows_its_own_prompt_where_it_has_one(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "yo"}]])
    (row,), _ = encode_pairs(tiny.chat, pairs(("hi", "good", "bad")).with_columns(rejected_prompt=other), 100)
    assert "user\nhi<|im_end|>" in tiny.tokenizer.decode(row.chosen.input_ids)
    assert "user\nyo<|im_end|>" in tiny.tokenizer.decode(row.rejected.input_ids)
    same_words, _ = encode_pairs(tiny.chat, pairs(("hi", "good", "good")).with_columns(rejected_prompt=other), 100)
    assert len(same_words) == 1  # the same reply may be right here and wrong there


def test_a_reply_alone_is_no_pair_and_is_counted(tiny, pairs) -> None:
    alone = pairs(("hi", "good", "")).with_columns(rejected=pl.lit(None, pl.String))
    assert encode_pairs(tiny.chat, alone, 100) == ([], {"one reply alone": 1})


def test_only_kept_training_pairs_are_rows(tiny, pairs) -> None:
    frame = pl.concat([pairs(*TWO), pairs(*TWO, keep=False), pairs(*TWO, split="validation")])
    assert len(encode_pairs(tiny.chat, frame, 100)[0]) == 2


def test_reference_is_the_models_own_sum_over_the_answer(tiny, pairs, settings) -> None:
    (row,) = with_reference(tiny.model, encode_pairs(tiny.chat, pairs(TWO[0]), 100)[0], settings, pair_logps)
    assert row.reference_chosen == pytest.approx(token_logps(tiny.model, pad([row.chosen])).sum().item(), abs=1e-4)
    assert row.reference_rejected == pytest.approx(token_logps(tiny.model, pad([row.rejected])).sum().item(), abs=1e-4)


def test_an_untrained_adapter_has_margin_zero_and_the_loss_of_a_coin(tiny, pairs, settings) -> None:
    rows = with_reference(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, pair_logps)
    loss, metrics = pair_objective(DPO())(new_adapter(tiny, 4, 7), rows)
    assert loss.item() == pytest.approx(0.693147, abs=1e-5)  # log 2
    assert metrics["margin"] == pytest.approx(0, abs=1e-5)


def test_a_pairs_weight_multiplies_its_loss(tiny, pairs, settings) -> None:
    rows = with_reference(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, pair_logps)
    # log 2 each at the start: (3·log 2 + 0·log 2) / 2
    weighted = [rows[0]._replace(weight=3.0), rows[1]._replace(weight=0.0)]
    loss, _ = pair_objective(DPO())(new_adapter(tiny, 4, 7), weighted)
    assert loss.item() == pytest.approx(1.5 * 0.693147, abs=1e-5)


def test_an_uncertain_label_has_the_loss_to_be_expected(tiny, pairs) -> None:
    (row,), _ = encode_pairs(tiny.chat, pairs(TWO[0], p_win=0.75), 100)
    row = row._replace(reference_chosen=0.0, reference_rejected=20.0)
    model = new_adapter(tiny, 4, 7)
    right, turned = (pair_objective(DPO())(model, [row._replace(p_win=p)])[0].item() for p in (1.0, 0.0))
    assert right != pytest.approx(turned, abs=0.5)
    assert pair_objective(DPO())(model, [row])[0].item() == pytest.approx(0.75 * right + 0.25 * turned, abs=1e-5)
