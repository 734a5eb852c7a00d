"""The facts of a project's user model, and the card that shows them."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from huggingface_hub import ModelCard

from turnabout.core import schemas
from turnabout.core.io import write_frame, write_json
from turnabout.exporting.card import render_card
from turnabout.exporting.project_facts import NamedEstimate, TrainingWindow, gather_facts
from turnabout.intents.flipping import MIRROR
from turnabout.intents.wording import NO_INTENT, PREFIX

ADDRESS = "postgresql://db.internal/logs"


def make_sample(conversation: str, user: str, split: str) -> dict[str, object]:
    return {
        "conversation_id": conversation,
        "user_key": user,
        "split": split,
        "intent": "chat",
        "messages": [{"role": "user", "content": "hi"}],
        "target_indexes": [0],
        "ends": False,
    }


@pytest.fixture
def project(tmp_path: Path, messages: Callable[..., pl.DataFrame]) -> Path:
    """Write a project with c1 (and its mirror) and c2 in train, and c3 in test.

    The conversations are of different days.
    """
    talks = [messages(f"c{day}", "hi", "hello", at=datetime(2026, 3, day, tzinfo=UTC)) for day in (1, 2, 3)]
    samples = [
        make_sample("c1", "ann", "train"),
        make_sample(f"c1{MIRROR}", "bob", "train"),
        make_sample("c2", "ann", "train"),
        make_sample("c3", "eve", "test"),
    ]
    write_frame(pl.concat(talks), tmp_path / "data" / "messages" / "part-0.parquet", schemas.MESSAGES)
    write_frame(
        pl.DataFrame(samples, schema=schemas.USER_SAMPLES), tmp_path / "data/user_samples.parquet", schemas.USER_SAMPLES
    )
    write_json({"detail": "high_level", "n_intents": 40, "n_fallback": 3}, tmp_path / "metrics/intend.json")
    trained = {"n_tokens": 24000, "n_target_tokens": 9000, "steps": 70}
    write_json(trained, tmp_path / "metrics/train_user.json")
    estimate = {"value": 1.2907, "low": 1.2143, "high": 1.3732, "n": 128}
    unknown = {"value": None, "low": None, "high": None, "n": 0}
    metrics = {"bits": {"trained": {"with_intent": estimate, "late": unknown}, "threshold": 0.5}, "n_users": 38}
    write_json(metrics, tmp_path / "metrics/user.json")
    base = {"name": "some/base", "origin": "hub", "revision": "abc", "licence": "Apache-2.0"}
    write_json(base, tmp_path / "models/backbone/manifest.json")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["ingest"]["sources"] = [{"format": "sql", "url": ADDRESS, "query": "select 1"}]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def test_gather_facts_measures_the_window_of_the_train_split(project: Path) -> None:
    assert gather_facts(project).window == TrainingWindow(2, 2, date(2026, 3, 1), date(2026, 3, 2))


def test_gather_facts_includes_only_estimates_with_intervals(project: Path) -> None:
    assert gather_facts(project).estimates == [
        NamedEstimate("bits, trained, with intent", value=1.2907, low=1.2143, high=1.3732, n=128)
    ]


def test_card_has_front_matter_window_filters_estimates_and_no_address(project: Path) -> None:
    text = render_card("our-user", gather_facts(project))
    data: Any = ModelCard(text).data
    assert (data.license, data.base_model, data.library_name) == ("apache-2.0", "some/base", "transformers")
    for expected in (
        "# our-user: a user language model",
        "| base model | some/base at `abc` |",
        "| format of the logs | sql |",
        "| conversations, train split | 2 of 2 people |",
        "| first and last day | 2026-03-01 to 2026-03-02 |",
        "| intents | what a conversation is about, in one sentence written by a model; a general one in 3 of 40",
        "| tokens of one epoch | 24,000, of which 9,000 are in the users' turns, the only ones learnt |",
        "| optimiser steps | 70 |",
        "| bits, trained, with intent | 1.291 | 1.214 to 1.373 | 128 |",
        "near_duplicates: 0.8",
    ):
        assert expected in text
    assert ADDRESS not in text


def test_card_says_that_the_logs_name_no_people(project: Path) -> None:
    write_json({"names_people": False}, project / "metrics/split.json")
    text = render_card("our-user", gather_facts(project))
    assert "| conversations, train split | 2; this log names no people; splits are by conversation |" in text
    assert "Measured on held-out conversations. The interval is a 95 % bootstrap interval over conversations;" in text


@pytest.mark.parametrize(
    ("detail", "system", "row"),
    [
        ("none", NO_INTENT, "| intents | none: the model was trained without them |"),
        ("full", f"{PREFIX}trains.", "| intents | all that a person says, in one sentence"),
    ],
)
def test_card_describes_the_intents_and_the_system_message(project: Path, detail: str, system: str, row: str) -> None:
    write_json({"detail": detail, "n_intents": 40, "n_fallback": 0}, project / "metrics/intend.json")
    text = render_card("u", gather_facts(project))
    assert row in text
    assert f'"content": "{system}"' in text
    assert ("is the person's intent" in text) == (detail != "none")


def test_card_says_which_facts_are_missing(project: Path) -> None:
    for folder in ("data", "metrics", "models"):
        shutil.rmtree(project / folder)
    text = render_card("our-user", gather_facts(project))
    assert "| base model | not recorded |" in text
    assert "| conversations | not available when this was exported |" in text
    assert "No figures were available" in text


def test_card_has_no_days_for_logs_without_times(project: Path, messages: Callable[..., pl.DataFrame]) -> None:
    write_frame(messages("c1", "hi", "hello"), project / "data/messages/part-0.parquet", schemas.MESSAGES)
    assert "| first and last day | no times in the logs |" in render_card("u", gather_facts(project))


def test_card_without_facts_says_that_nothing_is_known() -> None:
    text = render_card("theirs", None)
    assert "was not trained by the project that exported it" in text
    data: Any = ModelCard(text).data
    assert data.license is None
