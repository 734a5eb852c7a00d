"""The stage `flip`: samples of conversations with an intent, and counts."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages.flip import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame
from turnabout.intents.wording import FALLBACK

SHIPPED = ROOT / "params.yaml"
PATHS = ("messages.parquet", "splits.parquet", "intents.parquet", "samples.parquet", "metrics.json")
Run = Callable[..., dict[str, object]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the stage and returns its metrics.

    `run(log, "a", "b")` flips the conversations of `log`, of which those named have an intent.
    """

    def build(log: pl.DataFrame, *with_intent: str, mirror: bool = False) -> dict[str, object]:
        ids = log["conversation_id"].unique().sort()
        splits = [{"conversation_id": name, "user_key": "ann", "split": "train"} for name in ids]
        intents = [{"conversation_id": name, "intent": FALLBACK} for name in with_intent]
        for rows, schema, path in ((splits, schemas.SPLITS, PATHS[1]), (intents, schemas.INTENTS, PATHS[2])):
            write_frame(pl.DataFrame(rows, schema=schema), tmp_path / path, schema)
        write_frame(log, tmp_path / PATHS[0], schemas.MESSAGES)
        params = yaml.safe_load(SHIPPED.read_text()) | {"flip": {"mirror": mirror}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        messages, splits_path, intents_path, samples, metrics = (tmp_path / path for path in PATHS)
        main(messages, splits_path, intents_path, samples=samples, metrics=metrics, params=tmp_path / "params.yaml")
        return read_json(tmp_path / "metrics.json")

    return build


def test_flip_writes_samples_and_counts(run: Run, messages: Callable[..., pl.DataFrame], tmp_path: Path) -> None:
    log = pl.concat([messages("b", "hi", "hello"), messages("a", "hi", "hello", "bye"), messages("c", "hi")])
    counts = run(log, "b", "a")
    samples = read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES)
    assert samples.select("conversation_id", "intent", "target_indexes", "ends").rows() == [
        ("a", FALLBACK, [0, 2], False),
        ("b", FALLBACK, [0], True),
    ]
    assert (counts["n_samples"], counts["n_targets"], counts["n_ends"], counts["n_stays"]) == (2, 3, 1, 1)
    assert counts["dropped_by_reason"] == {"no intent": 1, "no user turn to learn": 0}


def test_flip_adds_mirrored_samples_when_mirror_is_set(
    run: Run, messages: Callable[..., pl.DataFrame], tmp_path: Path
) -> None:
    two_people = messages("a", "hi", "hello").with_columns(user_key=pl.Series(["ann", "bob"]))
    run(two_people, "a", mirror=True)
    samples = read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES)
    assert samples.select("conversation_id", "user_key").rows() == [("a", "ann"), ("a#mirror", "bob")]


def test_flip_writes_an_empty_table_for_a_log_without_conversations(run: Run, tmp_path: Path) -> None:
    counts = run(schemas.MESSAGES.to_frame())
    assert read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES).is_empty()
    assert (counts["n_conversations"], counts["n_samples"], counts["samples_by_split"]) == (0, 0, {})
