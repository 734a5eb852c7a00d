"""The stage `flip`: samples of the conversations that have an intent, and what became of the others."""

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
    """`run(messages, "a", "b")` flips conversations, of which those named have an intent; its metrics."""

    def build(said: pl.DataFrame, *wanted: str, mirror: bool = False) -> dict[str, object]:
        ids = said["conversation_id"].unique().sort()
        splits = [{"conversation_id": name, "user_key": "ann", "split": "train"} for name in ids]
        intents = [{"conversation_id": name, "intent": FALLBACK} for name in wanted]
        for rows, schema, path in ((splits, schemas.SPLITS, PATHS[1]), (intents, schemas.INTENTS, PATHS[2])):
            write_frame(pl.DataFrame(rows, schema=schema), tmp_path / path, schema)
        write_frame(said, tmp_path / PATHS[0], schemas.MESSAGES)
        params = yaml.safe_load(SHIPPED.read_text()) | {"flip": {"mirror": mirror}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        main(*(tmp_path / path for path in (*PATHS, "params.yaml")))
        return read_json(tmp_path / "metrics.json")

    return build


def test_samples_and_counts_are_written(run: Run, messages: Callable[..., pl.DataFrame], tmp_path: Path) -> None:
    said = pl.concat([messages("b", "hi", "hello"), messages("a", "hi", "hello", "bye"), messages("c", "hi")])
    counted = run(said, "b", "a")
    samples = read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES)
    assert samples.select("conversation_id", "intent", "target_indexes", "ends").rows() == [
        ("a", FALLBACK, [0, 2], False),
        ("b", FALLBACK, [0], True),
    ]
    assert (counted["n_samples"], counted["n_targets"], counted["n_ends"], counted["n_stays"]) == (2, 3, 1, 1)
    assert counted["dropped_by_reason"] == {"no intent": 1, "no user turn to learn": 0}


def test_the_other_side_is_learnt_from_where_params_say_so(
    run: Run, messages: Callable[..., pl.DataFrame], tmp_path: Path
) -> None:
    two_people = messages("a", "hi", "hello").with_columns(user_key=pl.Series(["ann", "bob"]))
    run(two_people, "a", mirror=True)
    samples = read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES)
    assert samples.select("conversation_id", "user_key").rows() == [("a", "ann"), ("a#mirror", "bob")]


def test_a_log_without_conversations_is_an_empty_table(run: Run, tmp_path: Path) -> None:
    counted = run(schemas.MESSAGES.to_frame())
    assert read_frame(tmp_path / "samples.parquet", schemas.USER_SAMPLES).is_empty()
    assert (counted["n_conversations"], counted["n_samples"], counted["samples_by_split"]) == (0, 0, {})
