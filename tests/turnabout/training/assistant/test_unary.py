"""Single judged replies as rows of a unary loss, and an assistant trained on them."""

import polars as pl
import pytest
import torch

from turnabout.losses.kto import KTO
from turnabout.models.logps import pad, token_logps
from turnabout.training.assistant.reference import with_reference
from turnabout.training.assistant.train import train_assistant
from turnabout.training.assistant.unary import encode_judged, judged_logps, judged_objective
from turnabout.training.engine.adapter import new_adapter


@pytest.fixture
def liked_and_disliked(pairs) -> pl.DataFrame:
    return pl.concat(
        [
            pairs(("hi", "good", ""), pair_id="a").with_columns(rejected=pl.lit(None, pl.String)),
            pairs(("yo", "", "ugly"), pair_id="b").with_columns(chosen=pl.lit(None, pl.String)),
        ]
    )


def texts(chat, row):
    return [chat.tokenizer.decode(side.input_ids).split("assistant\n")[-1] for side in (row.completion, row.mismatched)]


def test_each_side_that_is_there_is_a_row_beside_another_prompts_reply(tiny, liked_and_disliked, pairs) -> None:
    rows, dropped = encode_judged(tiny.chat, liked_and_disliked, 100)
    assert [(*texts(tiny.chat, row), row.is_liked) for row in rows] == [
        ("good<|im_end|>", "ugly<|im_end|>", True),
        ("ugly<|im_end|>", "good<|im_end|>", False),
    ]
    assert not dropped
    # Both sides of a pair follow one prompt: neither is a mismatch of the other.
    rows, _ = encode_judged(tiny.chat, pairs(("hi", "good", "bad"), ("yo", "fine", "ugly")), 100)
    assert [texts(tiny.chat, row)[1] for row in rows] == [
        f"{word}<|im_end|>" for word in ("fine", "fine", "good", "good")
    ]


def test_a_disliked_reply_follows_its_own_prompt_where_it_has_one(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "elsewhere"}]])
    (_, disliked), _ = encode_judged(tiny.chat, pairs(("hi", "good", "bad")).with_columns(rejected_prompt=other), 100)
    assert "user\nelsewhere<|im_end|>" in tiny.tokenizer.decode(disliked.completion.input_ids)


def test_replies_that_cannot_teach_leave_with_a_reason_and_a_long_mismatch_is_cut(tiny, pairs) -> None:
    rows, dropped = encode_judged(tiny.chat, pairs(("hi", "good", " "), ("yo", "x" * 99, "ugly")), 100)
    assert [texts(tiny.chat, row)[0] for row in rows] == ["good<|im_end|>", "ugly<|im_end|>"]
    assert dropped == {"empty completion": 1, "longer than max_length": 1}
    assert len(rows[0].mismatched.input_ids) == 100


def test_only_one_prompt_means_that_a_reply_is_its_own_mismatch(tiny, pairs) -> None:
    rows, _ = encode_judged(tiny.chat, pairs(("hi", "good", "bad")), 100)
    assert [texts(tiny.chat, row)[1] for row in rows] == ["good<|im_end|>", "bad<|im_end|>"]


def test_log_probabilities_are_sums_over_both_completions(tiny, liked_and_disliked) -> None:
    rows, _ = encode_judged(tiny.chat, liked_and_disliked, 100)
    found = judged_logps(tiny.model, rows)
    for index, row in enumerate(rows):
        expected = [token_logps(tiny.model, pad([side])).sum() for side in (row.completion, row.mismatched)]
        torch.testing.assert_close([found.completion[index], found.mismatched[index]], expected)


@pytest.fixture
def rows(tiny, liked_and_disliked, settings):
    return with_reference(tiny.model, encode_judged(tiny.chat, liked_and_disliked, 100)[0], settings, judged_logps)


def test_an_untrained_adapter_has_half_of_the_value(tiny, rows) -> None:
    loss, metrics = judged_objective(KTO())(new_adapter(tiny, 4, 7), rows)
    assert loss.item() == pytest.approx(0.5, abs=1e-5)  # 1 − σ(0)
    assert metrics["margin"] == pytest.approx(0, abs=1e-5)


def test_a_batch_of_one_side_has_no_margin(tiny, rows) -> None:
    _, metrics = judged_objective(KTO())(new_adapter(tiny, 4, 7), rows[:1])
    assert (metrics["margin"], metrics["rejected_reward"]) == (None, None)
    assert metrics["chosen_reward"] is not None


def test_a_replys_weight_multiplies_its_loss_and_a_coins_label_its_gradient(tiny, rows) -> None:
    model = new_adapter(tiny, 4, 7)
    weighted, _ = judged_objective(KTO())(model, [rows[0]._replace(weight=3.0), rows[1]._replace(weight=0.0)])
    assert weighted.item() == pytest.approx(0.75, abs=1e-5)  # (3·0.5 + 0·0.5) / 2
    coins, _ = judged_objective(KTO())(model, [row._replace(p_label=0.5, reference_completion=-99.0) for row in rows])
    assert coins.item() == pytest.approx(0.5, abs=1e-5)  # σ(−x)/2 + σ(x)/2, whatever x is


def test_an_assistant_learns_to_like_and_to_dislike(tiny, liked_and_disliked, settings, tmp_path) -> None:
    gate = settings._replace(schedule="constant", epochs=40, max_steps=40)
    longer = settings._replace(epochs=10)
    assistant = train_assistant(tiny, liked_and_disliked, KTO(), 100, 4, longer, gate, 2, tmp_path / "work")
    assert assistant.metrics["n_pairs"] == 2
    assert assistant.metrics["accuracy"] == 1.0
    assert assistant.history["margin"][-1] > 0


def test_praise_alone_trains_too_without_a_margin(tiny, pairs, settings, tmp_path) -> None:
    praise = pairs(("hi", "good", ""), ("yo", "fine", "")).with_columns(rejected=pl.lit(None, pl.String))
    gate = settings._replace(schedule="constant", epochs=40, max_steps=40)
    assistant = train_assistant(tiny, praise, KTO(), 100, 4, settings, gate, 2, tmp_path / "work")
    assert assistant.metrics["margin"] is None
    assert assistant.history["rejected_reward"].null_count() == assistant.history.height


@pytest.mark.parametrize("asked", [("hi",), ("hi", "hi"), ("hi", "yo", "oh", "so")])
def test_praise_passes_the_gate_however_few_replies_and_prompts_there_are(
    tiny, pairs, settings, tmp_path, asked: tuple[str, ...]
) -> None:
    praise = pairs(*((ask, f"good {n}", "") for n, ask in enumerate(asked))).with_columns(
        rejected=pl.lit(None, pl.String)
    )
    gate = settings._replace(schedule="constant", epochs=40, max_steps=40)
    assistant = train_assistant(tiny, praise, KTO(), 100, 4, settings, gate, 4, tmp_path / "work")
    assert assistant.metrics["gate"]["passed"]
