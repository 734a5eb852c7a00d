"""The fit of the end-of-conversation token's output row."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from turnabout.models.logps import pad_rows
from turnabout.training.user_model import end_token
from turnabout.training.user_model.end_token import EndTokenData, fit_end_token, solve_end_row
from turnabout.training.user_model.train import add_end_token, train_user
from turnabout.training.user_model.windows import cut_windows

WIDE = 1e6  # a prior that has next to no effect


def build_data(states, is_end, other_logits=0.0, weights=1.0) -> EndTokenData:
    return EndTokenData(
        states=np.asarray(states, np.float32),
        other_logits=np.full(len(is_end), other_logits),
        is_end=np.asarray(is_end, bool),
        weights=np.full(len(is_end), weights),
    )


def test_end_probability_is_the_base_rate_when_states_are_equal() -> None:
    # 2 in 10 is a logit of log(1/4), and the other tokens are 3 nats ahead.
    data = build_data(np.ones((10, 1)), [True] * 2 + [False] * 8, other_logits=3.0)
    assert solve_end_row(data, np.zeros(1, np.float32), WIDE) == pytest.approx([3.0 - np.log(4)], abs=1e-3)


def test_position_counts_as_often_as_its_weight() -> None:
    # Each of the two positions without an end stands for 9.5: 1 in 20.
    data = build_data(np.ones((3, 1)), [True, False, False])._replace(weights=np.array([1.0, 9.5, 9.5]))
    assert solve_end_row(data, np.zeros(1, np.float32), WIDE) == pytest.approx([-np.log(19)], abs=1e-3)


def test_end_row_is_the_solution_of_ridge_regression_around_the_initial_row() -> None:
    rng = np.random.default_rng(5)
    states = rng.normal(size=(60, 4)).astype(np.float32)
    is_end = states @ [1.0, -2.0, 0.0, 0.5] + rng.normal(size=60) > 0.5
    weights, scale = rng.uniform(0.5, 3, size=60), 9.0
    peer = LogisticRegression(C=scale / 4, fit_intercept=False, tol=1e-8).fit(states, is_end, sample_weight=weights)
    data = build_data(states, is_end)._replace(weights=weights)
    np.testing.assert_allclose(solve_end_row(data, np.zeros(4, np.float32), scale), peer.coef_[0], atol=2e-3)
    # The logit of the initial row is moved into the other tokens' logits; then only the rest has to be learnt.
    initial = np.array([0.3, -0.2, 0.1, 0.4], np.float32)
    offset = data._replace(other_logits=-(states @ initial).astype(float))
    rest = solve_end_row(offset, np.zeros(4, np.float32), scale)
    np.testing.assert_allclose(solve_end_row(data, initial, scale), initial + rest, atol=2e-3)


@pytest.fixture
def model(tiny):
    """The tiny model with rows as large as a trained one's.

    The end token is the last one of its vocabulary.
    """
    tiny.model.get_input_embeddings().weight.data *= 10
    return add_end_token(tiny)


@pytest.fixture
def windows(model, user_samples):
    """Windows of twelve conversations, of which the person ends seven."""
    with_ending, _ = cut_windows(model.chat, user_samples(7), 200)
    without_ending, _ = cut_windows(model.chat, user_samples(5, ends=False), 200)
    return [*with_ending, *without_ending]


def compute_end_probabilities(checkpoint, rows) -> list[list[float]]:
    """Return P(end token) at each target of each row, by the model itself."""
    probabilities_by_row = []
    for row in rows:
        batch = pad_rows([row])
        with torch.no_grad():
            probabilities = checkpoint.model(input_ids=batch.input_ids).logits.softmax(dim=2)
        at_targets = probabilities[0, :-1, checkpoint.chat.end_of_conversation_id][batch.is_target[0, 1:]]
        probabilities_by_row.append(at_targets.tolist())
    return probabilities_by_row


def test_fitted_model_has_the_end_probabilities_of_the_row(model, windows, monkeypatch) -> None:
    calls = []

    def record_call(data, initial, scale):
        calls.append((data, initial, scale, solve_end_row(data, initial, scale)))
        return calls[0][-1]

    monkeypatch.setattr(end_token, "solve_end_row", record_call)
    weight, token = model.model.get_output_embeddings().weight, model.chat.end_of_conversation_id
    before = weight.detach().clone()
    probabilities_before = compute_end_probabilities(model, windows)
    fit_end_token(model, windows)

    [(data, initial, scale, row)] = calls
    np.testing.assert_allclose(initial, before[token])
    assert scale == pytest.approx(before.norm(dim=1).square().mean().item())
    assert (data.is_end.sum(), len(data.is_end)) == (7, 7 * 9 + 5 * 7)
    predicted = expit(data.states @ row - data.other_logits)
    probabilities = compute_end_probabilities(model, windows)
    # The last target of a window is the end of turn after the end token. The tiny model reads the end token by the same
    # row, which the fit has changed, so that target is left out.
    compared = np.concatenate([values[:-1] for values in probabilities[:7]])
    expected = np.concatenate([predicted[9 * i : 9 * i + 8] for i in range(7)])
    assert compared == pytest.approx(expected, rel=1e-3)
    for after, earlier in zip(probabilities[:7], probabilities_before[:7], strict=True):
        assert after[-2] > earlier[-2]
    # No other row of the vocabulary has changed.
    assert (weight != before).any(dim=1).nonzero().flatten().tolist() == [token]


def test_windows_that_are_read_stand_for_all_of_their_kind(model, windows, monkeypatch) -> None:
    calls = []

    def record_data(data, initial, scale):
        calls.append(data)
        return initial

    monkeypatch.setattr(end_token, "solve_end_row", record_data)
    monkeypatch.setattr(end_token, "ENDING_TOKENS", 2 * 82)  # two of seven windows
    monkeypatch.setattr(end_token, "OTHER_TOKENS", 1)  # one of five
    fit_end_token(model, windows)
    assert calls[0].weights.tolist() == [3.5] * 18 + [5.0] * 7


def test_end_row_is_unchanged_when_no_conversation_ends(model, windows) -> None:
    before = model.model.get_output_embeddings().weight.detach().clone()
    fit_end_token(model, windows[7:])
    assert torch.equal(model.model.get_output_embeddings().weight, before)


def test_end_row_is_unchanged_when_logits_are_changed_after_projecting(model, windows) -> None:
    before = model.model.get_output_embeddings().weight.detach().clone()
    inner = model.model.forward

    def cap_logits(**inputs):
        out = inner(**inputs)
        out.logits = 30 * torch.tanh(out.logits / 30)
        return out

    model.model.forward = cap_logits
    fit_end_token(model, windows)
    assert torch.equal(model.model.get_output_embeddings().weight, before)


@pytest.mark.parametrize("lora_rank", [None, 4])
def test_training_ends_with_the_fit_on_all_windows(
    tiny, user_samples, user_options, run, monkeypatch, lora_rank
) -> None:
    calls = []
    monkeypatch.setattr(
        "turnabout.training.user_model.train.fit_end_token", lambda checkpoint, rows: calls.append((checkpoint, rows))
    )
    options = user_options(lora_rank=lora_rank, max_tokens=100)
    trained = train_user(tiny, user_samples(8), options=options, run=run)
    [(checkpoint, rows)] = calls
    assert checkpoint is trained.checkpoint
    assert len(rows) == 8  # also those beyond the 100 tokens trained on


@pytest.mark.parametrize("is_first", [True, False])
def test_only_the_first_process_fits_the_row(tiny, user_samples, user_options, run, monkeypatch, is_first) -> None:
    n_windows: list[int] = []
    monkeypatch.setattr("turnabout.training.user_model.train.is_first_process", lambda: is_first)
    monkeypatch.setattr(
        "turnabout.training.user_model.train.fit_end_token", lambda _, windows: n_windows.append(len(windows))
    )
    train_user(tiny, user_samples(8), options=user_options(), run=run)
    assert n_windows == ([8] if is_first else [])
