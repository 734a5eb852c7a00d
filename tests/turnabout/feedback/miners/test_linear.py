"""The calibrated linear model: arithmetic by hand, folds by group, weights that survive a file."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from turnabout.errors import ModelError
from turnabout.feedback.miners.linear import (
    LinearModel,
    balance_classes,
    fit_linear_model,
    load_models,
    save_models,
    sigmoid,
)


def test_sigmoid_turns_log_odds_into_probabilities():
    assert sigmoid(np.array([0.0, np.log(3), -np.log(3)])) == pytest.approx([0.5, 0.75, 0.25])
    assert sigmoid(np.array([-1000.0, 1000.0])) == pytest.approx([0, 1])


def test_linear_model_adds_weighted_features_and_bias():
    model = LinearModel(np.array([1.0, -2.0], dtype=np.float32), 0.5)
    assert model.compute_logits(csr_matrix([[3.0, 1.0], [0.0, 0.0]])) == pytest.approx([1.5, 0.5])


def test_balanced_classes_have_the_same_weight():
    # one positive against three negatives: it counts three times
    assert balance_classes(np.array([1.0, 0, 0, 0])).tolist() == [3, 1, 1, 1]


def test_fit_learns_the_separating_feature_and_never_holds_out_no_group():
    rng = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 60)
    features = csr_matrix(np.stack([labels + rng.normal(0, 0.3, 120), rng.normal(size=120)], axis=1))
    groups = [*(f"g{i % 20}" for i in range(118)), None, None]
    fitted = fit_linear_model(features, labels, groups, np.ones(120))
    assert np.isnan(fitted.held_out[118:]).all()
    assert ((fitted.held_out[:118] > 0.5) == (labels[:118] == 1)).mean() > 0.9
    assert abs(fitted.model.weights[0]) > 5 * abs(fitted.model.weights[1])


def test_group_is_never_in_training_and_test():
    # every group carries its own giveaway column; seen in training it would decide, held out it says nothing
    n_groups = 20
    labels = np.tile([0.0, 1.0], n_groups).repeat(3)
    giveaway = np.repeat(np.arange(2 * n_groups), 3)
    features = csr_matrix(np.eye(2 * n_groups)[giveaway])
    groups = [f"g{column // 2}" for column in giveaway]
    held_out = fit_linear_model(features, labels, groups, np.ones(len(labels))).held_out
    assert held_out == pytest.approx(0.5, abs=0.05)


def test_probabilities_have_the_share_of_positives_of_the_data():
    rng = np.random.default_rng(1)
    labels = (np.arange(400) % 10 == 0).astype(float)
    features = csr_matrix(labels[:, None] + rng.normal(0, 1, (400, 1)))
    held_out = fit_linear_model(features, labels, [str(i) for i in range(400)], balance_classes(labels)).held_out
    assert held_out.mean() == pytest.approx(0.1, abs=0.01)


def test_saved_models_are_loaded_unchanged(tmp_path):
    save_models(
        {"one": LinearModel(np.array([0.5, -0.25], dtype=np.float32), 1.25)},
        {"by": "hand"},
        tmp_path / "w" / "a.safetensors",
    )
    models, metadata = load_models(tmp_path / "w" / "a.safetensors")
    assert models["one"].weights.tolist() == [0.5, -0.25]
    assert (models["one"].bias, metadata) == (1.25, {"by": "hand"})


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_file_that_is_not_weights_is_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    if content:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"`turnabout fit-miner` writes one"):
        load_models(path)
