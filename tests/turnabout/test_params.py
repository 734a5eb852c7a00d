"""`params.yaml`: the shipped file, and the errors of mistakes in it."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.source_tree import ROOT
from turnabout.errors import ConfigError
from turnabout.follow_ups import load_phrases
from turnabout.params import load_params

SHIPPED = ROOT / "params.yaml"


def change_params(tmp_path: Path, *keys: str, to: Any) -> Path:
    """A copy of the shipped file with one entry replaced."""
    params = yaml.safe_load(SHIPPED.read_text())
    section = params
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = to
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def test_shipped_file_is_valid_and_frozen() -> None:
    params = load_params(SHIPPED)
    assert params.arms["drift"].pairs.rule == "drift"
    frozen: Any = params
    with pytest.raises(ValueError, match="frozen"):
        frozen.seed = 1


@pytest.mark.parametrize(
    ("keys", "to", "message"),
    [
        (("clean", "min_mesages"), 3, r"clean: \['min_mesages'\] not among the allowed keys .*'min_messages'"),
        (("train", "loss"), 1, r"'train'\] not among the allowed keys .*'train_user'"),
        (("clean", "min_messages"), 0, r"clean.min_messages: Input should be greater than 0"),
        (("clean", "scrub"), ["names"], r"clean.scrub.0: Input should be 'url', 'email', .* or 'handle'"),
        (
            ("ingest", "sources"),
            [{"format": "share_gpt"}],
            r"format: 'share_gpt' is not one of \['auto', 'chat_completions', ",
        ),
        (("ingest", "sources"), [{"path": "x"}], r"needs the key 'format', one of \['auto', 'chat_completions', "),
        (("ingest", "sources"), [{"url": "x://a:b@c", "table": ""}], r"key .*; got the keys \['table', 'url'\]$"),
        (("ingest", "sources"), ["sql x://a:b@c"], r"needs the key 'format', .*; got a str$"),
        (("arms", "drift", "pairs"), {"rule": "repare"}, r"'repare' is not one of \[.*'drift', .*'follow_up'"),
        (("arms", "drift", "pairs"), {"rule": "drift", "k": 2}, r"\['k'\] not among the allowed keys"),
        (("arms", "drift", "reads"), "models/user", r"rule 'drift' needs 'data/critiques.parquet'"),
        (("arms", "drift", "policy"), "assistants/x", r"'assistants/x' is not one of \['backbone', 'assistants/drift'"),
        (("arms", "drift", "policy"), "assistants/drift", r"and not itself"),
        (("arms", "drift", "train", "loss"), {"loss": "ppo"}, r"loss: 'ppo' is not one of .*'dpo'"),
        (("arms", "drift", "train", "learning_rate"), 0, r"arms.drift.train.learning_rate: .* greater than 0"),
        (("intend", "generator"), {"backend": "gpt"}, r"intend.generator: backend: 'gpt' is not one of \['local', "),
        (("mine", "author"), {"backend": "local"}, r"mine: 'author' is now called 'generator'$"),
        (("intend", "author"), {"backend": "local"}, r"intend: 'author' is now called 'generator'$"),
        (("augment", "author"), {"backend": "local"}, r"augment: 'author' is now called 'generator'$"),
        (("intend", "generator"), {"generator": "local"}, r"intend.generator: 'generator' is now called 'backend'$"),
        (("build_pairs", "judge"), {"generator": "local"}, r"build_pairs.judge: 'generator' is now called 'backend'$"),
        (
            ("augment", "generator"),
            {"backend": "openai", "model": "m", "key": "sk-1"},
            r"augment.generator.key: must be the NAME of an environment variable [^\n]*revoke it\)$",
        ),
        (("arms",), {}, r"arms: Dictionary should have at least 1 item"),
        (("clean",), {1: 2, "x": 3}, r"clean: \[1, 'x'\] not among the allowed keys"),
        (("ingest", "sources"), [{"format": ["openai"]}], r"ingest.sources.0: format: '\['openai'\]' is not one of"),
        (("split",), {"validation": 0.5, "test": 0.5, "test_from": None}, r"split: .* hold out 1 .* must be below 1"),
        (("split", "validation"), 1, r"split: .* hold out 1 of the users"),
        (("train_user", "learning_rate"), 0, r"train_user.learning_rate: .* greater than 0"),
        (("train_user", "learning_rate"), float("inf"), r"train_user.learning_rate: .* finite"),
        (("train_user", "warmup"), 1.0, r"train_user.warmup: .* less than 1"),
        (("train_user", "processes"), 3, r"train_user: .*3 processes cannot share 1 rows evenly"),
        (("train_assistant", "gate_learning_rate"), -1e-3, r"train_assistant.gate_learning_rate: .* greater than 0"),
        (("train_reward", "l2"), 0, r"train_reward.l2: .* greater than 0"),
        (("simulate", "temperature"), -0.1, r"simulate.temperature: .* greater than or equal to 0"),
        (("simulate", "top_p"), 0, r"simulate.top_p: .* greater than 0"),
        (("simulate", "min_words"), 26, r"simulate: min_words: 26 is more than max_words, 25"),
        (("evaluate", "phrases_per_dimension"), 11, r"evaluate.phrases_per_dimension: .* less than or equal to 10"),
        (
            ("augment", "augmenters"),
            [{"writes": "critiques"}, {"writes": "rationales"}, {"writes": "critiques"}],
            r"augment.augmenters: \['critiques'\] are named more than once",
        ),
        (
            ("augment", "augmenters"),
            [{"writes": "rationales"}],
            r"arms.drift reads data/critiques.parquet, but augment.augmenters has no \{writes: critiques\}",
        ),
        (
            ("augment", "weak"),
            [],
            r"arms.drift.pairs.weak: \('clarification', 'revision'\) but augment.weak is \[\]; "
            r"drift would get replies without critiques",
        ),
    ],
)
def test_mistake_is_an_error_with_its_key_and_what_was_allowed(
    tmp_path: Path, keys: tuple[str, ...], to: Any, message: str
) -> None:
    if keys[0] == "train":
        keys, to = ("train",), {"loss": to}
    with pytest.raises(ConfigError, match=message):
        load_params(change_params(tmp_path, *keys, to=to))


@pytest.mark.parametrize("day", ["soon", "1 September", "2018-09-31", "", 20180901, datetime(2018, 9, 1, 12), True])
def test_invalid_day_is_an_error_that_names_it(tmp_path: Path, day: Any) -> None:
    with pytest.raises(
        ConfigError, match=f"split.test_from: '{day}' is not a day in quotes such as \"2018-09-01\"; give one or null"
    ):
        load_params(change_params(tmp_path, "split", "test_from", to=day))


def test_day_is_parsed_as_a_date() -> None:
    assert load_params(SHIPPED).split.test_from == date(2018, 9, 1)


def test_share_of_test_is_unused_when_a_day_is_given(tmp_path: Path) -> None:
    split = {"validation": 0.5, "test": 0.5, "test_from": "2018-09-01"}
    assert load_params(change_params(tmp_path, "split", to=split)).split.test == 0.5


def test_phrases_per_dimension_is_limited_by_the_phrases_there_are(tmp_path: Path) -> None:
    maximum = load_params(
        change_params(tmp_path, "evaluate", "phrases_per_dimension", to=10)
    ).evaluate.phrases_per_dimension
    load_phrases(maximum)
    with pytest.raises(ConfigError):
        load_phrases(maximum + 1)


def test_circular_policies_are_an_error_that_shows_them(tmp_path: Path) -> None:
    drift = yaml.safe_load(SHIPPED.read_text())["arms"]["drift"]
    arms = {"a": {**drift, "policy": "assistants/b"}, "b": {**drift, "policy": "assistants/a"}, "c": drift}
    with pytest.raises(ConfigError, match=r"arms: .* circle, ([ab] before ){2}[ab]; .*'backbone'"):
        load_params(change_params(tmp_path, "arms", to=arms))


def test_get_arm_returns_an_arm_or_lists_the_names() -> None:
    params = load_params(SHIPPED)
    assert params.get_arm("drift") is params.arms["drift"]
    with pytest.raises(ConfigError, match=r"arm 'drfit' is not one of \['drift', 'follow_up'\]"):
        params.get_arm("drfit")


def test_arm_may_start_from_an_earlier_arm(tmp_path: Path) -> None:
    arms = yaml.safe_load(SHIPPED.read_text())["arms"]
    arms["drift_2"] = {**arms["drift"], "policy": "assistants/drift"}
    assert load_params(change_params(tmp_path, "arms", to=arms)).arms["drift_2"].policy == "assistants/drift"


def test_reserved_names_are_errors(tmp_path: Path) -> None:
    arms = yaml.safe_load(SHIPPED.read_text())["arms"]
    with pytest.raises(ConfigError, match=r"\['untrained'\] are reserved for other columns"):
        load_params(change_params(tmp_path, "arms", to={"untrained": arms["drift"]}))
    with pytest.raises(ConfigError, match=r"\['simulated'\] are reserved for other columns"):
        load_params(change_params(tmp_path, "arms", to={"simulated": arms["drift"]}))


def test_missing_file_and_broken_yaml_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; run from the project's root"):
        load_params(tmp_path / "none.yaml")
    broken = tmp_path / "params.yaml"
    broken.write_text('seed: 1\nkey: "sk-canary')
    with pytest.raises(ConfigError, match=r"not YAML: .*, line 2") as caught:
        load_params(broken)
    assert "canary" not in str(caught.value)  # the line may hold a key
