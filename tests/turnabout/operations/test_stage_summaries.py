"""The line on each stage that ran, from its metrics files."""

from pathlib import Path
from typing import Any

import pytest

from tests.source_tree import ROOT
from turnabout.core.io import write_json
from turnabout.operations.stage_summaries import FORMATTERS, summarize_stage
from turnabout.pipeline.repro import Stage, load_stage_graph

#: Metrics of a stage and its line. The stages ran for 200 seconds.
SUMMARIES: list[tuple[str, dict[str, Any], str]] = [
    ("backbone", {"n_parameters": 134_515_008}, "134.5 million parameters"),
    (
        "ingest",
        {"n_conversations": 1522, "n_messages": 5220, "n_forgotten_conversations": 0, "n_rejected": 4608},
        # 4,608 of 6,130 records
        "5,220 messages of 1,522 conversations, 4,608 records rejected (75 %) → data/ingest_quarantine.parquet",
    ),
    (
        "ingest",
        {"n_conversations": 1, "n_messages": 2, "n_forgotten_conversations": 2, "n_rejected": 0},
        "2 messages of 1 conversation, 2 conversations of forgotten people left out, no record rejected",
    ),
    (
        "clean",
        {
            "n_conversations": 1889,
            "n_conversations_in": 4018,
            "n_messages": 70_866,
            "n_messages_in": 135_587,
            "dropped_by_reason": {"a": 12, "b": 775, "c": 1354, "d": 5, "e": 2},
        },
        "70,866 of 135,587 messages of 1,889 of 4,018 conversations kept; dropped: c 1,354, b 775, a 12, "
        "other reasons 7 → data/clean_quarantine.parquet",
    ),
    (
        "split",
        {
            "conversations_by_split": {"excluded": 274, "test": 633, "train": 785},
            "users_by_split": {"excluded": 136, "test": 214, "train": 296},
        },
        "785 conversations of 296 people in train, 633 conversations of 214 people in test, 274 conversations excluded",
    ),
    (
        "mine",
        {"n_exchanges": 34_954, "n_sat": 712, "n_dsat": 142},
        "712 satisfied and 142 dissatisfied reactions in 34,954 exchanges",
    ),
    (
        "intend",
        {"n_intents": 144, "n_fallback": 2, "fallback_by_reason": {"cut off": 1, "no completion": 1}},
        "144 intents, 2 of them the fallback (cut off 1, no completion 1)",
    ),
    ("intend", {"n_intents": 144, "n_fallback": 0, "fallback_by_reason": {}}, "144 intents"),
    (
        "flip",
        {
            "n_conversations": 1889,
            "n_samples": 144,
            "samples_by_split": {"test": 40, "train": 80, "validation": 24},
            "dropped_by_reason": {"no intent": 1745, "no user turn to learn": 0},
        },
        "144 samples (train 80, test 40, validation 24) of 1,889 conversations; dropped: no intent 1,745",
    ),
    (
        "train_user",
        {
            "n_samples": 80,
            "n_trained_tokens": 24_000,
            "first_loss": 3.8402,
            "last_loss": 3.6389,
            "dropped_by_reason": {"window beyond max_tokens": 134},
        },
        # 24,000 tokens in 200 s
        "80 samples, 24,000 tokens, 120 tokens/s with loading, loss 3.84 → 3.64; dropped: window beyond max_tokens 134",
    ),
    (
        "augment",
        {
            "n_criticised": 41,
            "n_replies": 39,
            "critiques": {"n": 39, "kept": 20, "dropped_by_reason": {"generic": 19}},
            "ratings": {"n": 0, "kept": 0, "dropped_by_reason": {}},
        },
        "39 of 41 criticised replies, 20 of 39 critiques kept",
    ),
    (
        "build_pairs@drift",
        {
            "n_pairs": 39,
            "n_kept": 37,
            "kept_by_split": {"train": 30, "validation": 7},
            "dropped_by_reason": {"cut off": 2},
        },
        "37 of 39 pairs kept (train 30, validation 7); dropped: cut off 2",
    ),
    (
        "train_assistant@drift",
        {"n_pairs": 32, "dropped_by_reason": {}, "first_loss": 0.456, "last_loss": 0.231},
        "32 pairs, loss 0.46 → 0.23",
    ),
    (
        "train_assistant@drift",
        {"n_pairs": 0, "dropped_by_reason": {"too long": 3}, "reason": "no usable pair"},
        "not trained; dropped: too long 3",
    ),
    (
        "train_reward@drift",
        {
            "n_train": 32,
            "n_validation": 0,
            "skipped_by_reason": {},
            "train_accuracy": {"value": 0.987},
            "validation_accuracy": {"value": None, "reason": "no pair"},
        },
        "32 pairs to train on, 0 held out, train accuracy 0.99",
    ),
    (
        "simulate@drift",
        {"n_conversations": 12, "mean_exchanges": 2.75, "ended_by": {"end_token": 3, "max_turns": 9}},
        "12 conversations of 2.8 exchanges on average, ended by max_turns 9, end_token 3",
    ),
    (
        "simulate_untrained",
        {"n_conversations": 0, "mean_exchanges": None, "ended_by": {}},
        "0 conversations",
    ),
    (
        "ablate@tenth",
        {"n_conversations": 40, "training": {"n_trained_tokens": 2400, "first_loss": 4.0, "last_loss": 3.5}},
        "2,400 tokens, loss 4.00 → 3.50; evaluated on 40 conversations",
    ),
    ("compare", {"tenth": {}, "all": {}}, "arms compared: tenth, all"),
]


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    """Return the stages of the project by name."""
    return dict(load_stage_graph(ROOT).nodes(data="stage"))


@pytest.mark.parametrize(("name", "metrics", "summary"), SUMMARIES, ids=[name for name, *_ in SUMMARIES])
def test_summary_says_what_came_out_and_what_was_dropped(
    tmp_path: Path, stages: dict[str, Stage], name: str, metrics: dict[str, Any], summary: str
) -> None:
    write_json(metrics, tmp_path / stages[name].metrics[0])
    assert summarize_stage(tmp_path, stages[name], 200.0) == summary


def test_summary_of_evaluate_needs_both_of_its_files(tmp_path: Path, stages: dict[str, Stage]) -> None:
    write_json({"n_conversations": 40, "n_users": 30}, tmp_path / "metrics/user.json")
    assert summarize_stage(tmp_path, stages["evaluate"], 1.0) == ""
    write_json({"untrained": {}, "drift": {}, "simulated": {}}, tmp_path / "metrics/assistants.json")
    assert summarize_stage(tmp_path, stages["evaluate"], 1.0) == (
        "user model on 40 conversations of 30 people; assistants compared: untrained, drift"
    )


def test_summary_has_no_speed_without_seconds(tmp_path: Path, stages: dict[str, Stage]) -> None:
    metrics = {"n_samples": 1, "n_trained_tokens": 9, "first_loss": 2.0, "last_loss": 1.0, "dropped_by_reason": {}}
    write_json(metrics, tmp_path / "metrics/train_user.json")
    assert summarize_stage(tmp_path, stages["train_user"], 0.0) == "1 samples, 9 tokens, loss 2.00 → 1.00"


def test_stage_without_metrics_or_with_other_metrics_has_no_summary(tmp_path: Path, stages: dict[str, Stage]) -> None:
    assert summarize_stage(tmp_path, stages["report"], 1.0) == ""
    assert summarize_stage(tmp_path, stages["ingest"], 1.0) == ""
    write_json({"n_messages": 5}, tmp_path / "metrics/ingest.json")
    assert summarize_stage(tmp_path, stages["ingest"], 1.0) == ""


def test_every_formatter_is_that_of_a_stage_with_metrics(stages: dict[str, Stage]) -> None:
    with_metrics = {name.partition("@")[0] for name, stage in stages.items() if stage.metrics}
    assert FORMATTERS.keys() <= with_metrics  # a stage without one prints its time only
