"""Leaving: the row of its token that tells best, of all rows, when people left."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from turnabout.models.logps import pad
from turnabout.training.user_model import end_token
from turnabout.training.user_model.end_token import Places, end_row, fit_end_row
from turnabout.training.user_model.train import train_user, with_end_token
from turnabout.training.user_model.windows import windows

WIDE = 1e6  # a prior that says next to nothing


def places(states, left, others=0.0, weights=1.0) -> Places:
    full = [np.full(len(left), value) for value in (others, weights)]
    return Places(np.asarray(states, np.float32), full[0], np.asarray(left, bool), full[1])


def test_leaving_is_as_frequent_as_it_was_where_nothing_tells_the_places_apart() -> None:
    # 2 in 10 is a logit of log(1/4), and the other tokens are 3 nats ahead.
    found = places(np.ones((10, 1)), [True] * 2 + [False] * 8, others=3.0)
    assert end_row(found, np.zeros(1, np.float32), WIDE) == pytest.approx([3.0 - np.log(4)], abs=1e-3)


def test_a_place_counts_as_often_as_its_weight_says() -> None:
    # each of the two places without leaving stands for 9.5: 1 in 20
    found = places(np.ones((3, 1)), [True, False, False])._replace(weights=np.array([1.0, 9.5, 9.5]))
    assert end_row(found, np.zeros(1, np.float32), WIDE) == pytest.approx([-np.log(19)], abs=1e-3)


def test_the_row_is_the_solution_of_an_independent_ridge_regression_round_what_was_begun() -> None:
    drawn = np.random.default_rng(5)
    states = drawn.normal(size=(60, 4)).astype(np.float32)
    left = states @ [1.0, -2.0, 0.0, 0.5] + drawn.normal(size=60) > 0.5
    weights, scale = drawn.uniform(0.5, 3, size=60), 9.0
    peer = LogisticRegression(C=scale / 4, fit_intercept=False, tol=1e-8).fit(states, left, sample_weight=weights)
    found = places(states, left)._replace(weights=weights)
    np.testing.assert_allclose(end_row(found, np.zeros(4, np.float32), scale), peer.coef_[0], atol=2e-3)
    # What the row begun gives already is moved to the other side: then only the rest has to be learnt.
    begun = np.array([0.3, -0.2, 0.1, 0.4], np.float32)
    offset = found._replace(others=-(states @ begun).astype(float))
    rest = end_row(offset, np.zeros(4, np.float32), scale)
    np.testing.assert_allclose(end_row(found, begun, scale), begun + rest, atol=2e-3)


@pytest.fixture
def model(tiny):
    """The tiny model with rows as large as those of a trained one, and the token at the end of its vocabulary."""
    tiny.model.get_input_embeddings().weight.data *= 10
    return with_end_token(tiny)


@pytest.fixture
def talks(model, user_samples):
    """Windows of twelve conversations, in seven of which the person leaves."""
    rows, _ = windows(model.chat, user_samples(7), 200)
    stayed, _ = windows(model.chat, user_samples(5, ends=False), 200)
    return [*rows, *stayed]


def p_leave(checkpoint, rows) -> list[list[float]]:
    """P(leave) at each target of each row, by the model itself."""
    found = []
    for row in rows:
        batch = pad([row])
        with torch.no_grad():
            probabilities = checkpoint.model(input_ids=batch.input_ids).logits.softmax(dim=2)
        found.append(probabilities[0, :-1, checkpoint.chat.end_of_conversation_id][batch.is_target[0, 1:]].tolist())
    return found


def test_the_model_leaves_as_likely_as_the_row_says_and_no_other_row_moves(model, talks, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(end_token, "end_row", lambda *call: asked.append((*call, end_row(*call))) or asked[0][-1])
    weight, token = model.model.get_output_embeddings().weight, model.chat.end_of_conversation_id
    before = weight.detach().clone()
    started = p_leave(model, talks)
    fit_end_row(model, talks)

    [(found, begun, scale, row)] = asked
    np.testing.assert_allclose(begun, before[token])
    assert scale == pytest.approx(before.norm(dim=1).square().mean().item())
    assert (found.left.sum(), len(found.left)) == (7, 7 * 9 + 5 * 7)
    said = expit(found.states @ row - found.others).tolist()
    after = p_leave(model, talks)
    # The token that ends the turn of leaving comes after the token itself, which the tiny model reads by the same row.
    assert [p for each in after[:7] for p in each[:-1]] == pytest.approx(
        [p for i in range(7) for p in said[9 * i : 9 * i + 8]], rel=1e-3
    )
    assert all(now[-2] > then[-2] for now, then in zip(after[:7], started[:7], strict=True))
    assert (weight != before).any(dim=1).nonzero().flatten().tolist() == [token]


def test_what_is_left_unread_counts_by_what_is_read_of_its_kind(model, talks, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(end_token, "end_row", lambda found, begun, scale: asked.append(found) or begun)
    monkeypatch.setattr(end_token, "ENDING_TOKENS", 2 * 82)  # two of seven windows
    monkeypatch.setattr(end_token, "OTHER_TOKENS", 1)  # one of five
    fit_end_row(model, talks)
    assert asked[0].weights.tolist() == [3.5] * 18 + [5.0] * 7


def test_the_row_stays_as_it_is_where_nobody_left(model, talks) -> None:
    before = model.model.get_output_embeddings().weight.detach().clone()
    fit_end_row(model, talks[7:])
    assert torch.equal(model.model.get_output_embeddings().weight, before)


def test_the_row_stays_as_it_is_where_logits_are_changed_after_projecting(model, talks) -> None:
    before = model.model.get_output_embeddings().weight.detach().clone()
    inner = model.model.forward

    def capped(**inputs):
        out = inner(**inputs)
        out.logits = 30 * torch.tanh(out.logits / 30)
        return out

    model.model.forward = capped
    fit_end_row(model, talks)
    assert torch.equal(model.model.get_output_embeddings().weight, before)


@pytest.mark.parametrize("lora_rank", [None, 4])
def test_training_ends_with_the_fitted_row(tiny, user_samples, settings, tmp_path, monkeypatch, lora_rank) -> None:
    read = []
    monkeypatch.setattr(
        "turnabout.training.user_model.train.fit_end_row", lambda checkpoint, rows: read.append((checkpoint, rows))
    )
    trained = train_user(tiny, user_samples(8), 200, 100, settings, tmp_path / "work", lora_rank=lora_rank)
    [(checkpoint, rows)] = read
    assert checkpoint is trained.checkpoint
    assert len(rows) == 8  # also those beyond the 100 tokens trained on


@pytest.mark.parametrize("is_first", [True, False])
def test_of_several_processes_only_the_first_fits_the_row(
    tiny, user_samples, settings, tmp_path, monkeypatch, is_first
) -> None:
    fitted: list[int] = []
    monkeypatch.setattr("turnabout.training.user_model.train.is_first", lambda: is_first)
    monkeypatch.setattr(
        "turnabout.training.user_model.train.fit_end_row", lambda _, windows: fitted.append(len(windows))
    )
    train_user(tiny, user_samples(8), 200, None, settings, tmp_path / "work")
    assert fitted == ([8] if is_first else [])
