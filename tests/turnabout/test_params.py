"""`params.yaml`: what ships is valid, and every mistake is an error that names what was allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from turnabout.errors import ConfigError
from turnabout.params import load_params

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def changed(tmp_path: Path, *keys: str, to: Any) -> Path:
    """A copy of the shipped file with one entry replaced."""
    params = yaml.safe_load(SHIPPED.read_text())
    section = params
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = to
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def test_the_shipped_file_is_valid_and_frozen() -> None:
    params = load_params(SHIPPED)
    assert params.arms["drift"].construct.rule == "drift"
    with pytest.raises(ValueError, match="frozen"):
        params.seed = 1


@pytest.mark.parametrize(
    ("keys", "to", "told"),
    [
        (("clean", "min_mesages"), 3, r"clean: \['min_mesages'\] not among the allowed keys .*'min_messages'"),
        (("train", "loss"), 1, r"'train'\] not among the allowed keys .*'train_user'"),
        (("clean", "min_messages"), 0, r"clean.min_messages: Input should be greater than 0"),
        (("clean", "scrub"), ["name"], r"clean.scrub.0: Input should be 'email', 'url', 'phone' or 'handle'"),
        (("ingest", "sources"), [{"format": "sharegpt"}], r"format: 'sharegpt' is not one of \['chitchat', 'openai'\]"),
        (("ingest", "sources"), [{"path": "x"}], r"needs the key 'format', one of \['chitchat', 'openai'\]"),
        (("arms", "drift", "construct"), {"rule": "repare"}, r"rule: 'repare' is not one of \['drift', 'follow_up'\]"),
        (("arms", "drift", "construct"), {"rule": "drift", "k": 2}, r"\['k'\] not among the allowed keys"),
        (("arms", "drift", "reads"), "models/user", r"rule 'drift' needs 'data/critiques.parquet'"),
        (("arms", "drift", "policy"), "assistants/x", r"'assistants/x' is not one of \['backbone', 'assistants/drift'"),
        (("arms", "drift", "policy"), "assistants/drift", r"and not itself"),
        (("arms", "drift", "train", "loss"), {"loss": "ppo"}, r"loss: 'ppo' is not one of .*'dpo'"),
    ],
)
def test_a_mistake_names_its_place_and_what_was_allowed(
    tmp_path: Path, keys: tuple[str, ...], to: Any, told: str
) -> None:
    if keys[0] == "train":
        keys, to = ("train",), {"loss": to}
    with pytest.raises(ConfigError, match=told):
        load_params(changed(tmp_path, *keys, to=to))


def test_a_later_round_may_start_from_an_earlier_arm(tmp_path: Path) -> None:
    arms = yaml.safe_load(SHIPPED.read_text())["arms"]
    arms["drift_2"] = {**arms["drift"], "policy": "assistants/drift"}
    assert load_params(changed(tmp_path, "arms", to=arms)).arms["drift_2"].policy == "assistants/drift"


def test_reserved_names_are_no_arms(tmp_path: Path) -> None:
    arms = yaml.safe_load(SHIPPED.read_text())["arms"]
    with pytest.raises(ConfigError, match=r"\['untrained'\] are kept for other columns"):
        load_params(changed(tmp_path, "arms", to={"untrained": arms["drift"]}))


def test_a_missing_file_and_broken_yaml_are_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; run from the project's root"):
        load_params(tmp_path / "none.yaml")
    broken = tmp_path / "params.yaml"
    broken.write_text("seed: [1")
    with pytest.raises(ConfigError, match="not YAML"):
        load_params(broken)
