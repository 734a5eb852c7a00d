from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages.clean import main
from turnabout import schemas
from turnabout.errors import DataError
from turnabout.io import read_frame, read_json, write_frame

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def run(folder: Path, log: pl.DataFrame) -> None:
    """Run the stage with at least two messages and one conversation of a person."""
    section = {"min_messages": 2, "max_conversations_per_person": 1, "scrub": ["email", "url"]}
    (folder / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | {"clean": section}))
    write_frame(log, folder / "in.parquet", schemas.MESSAGES)
    outputs = folder / "out.parquet", folder / "q.parquet", folder / "metrics.json"
    main(folder / "in.parquet", *outputs, params=folder / "params.yaml")


def test_what_stays_and_what_went_is_written_and_counted(tmp_path: Path, messages: Callable[..., pl.DataFrame]) -> None:
    log = pl.concat(
        [
            messages("a", "x@y.com", "yo", ""),
            messages("b", "x@y.com", "yo"),
            messages("c", "hello", "yo"),
            messages("d", "hi", user="dan"),
        ]
    )
    run(tmp_path, log)
    kept = read_frame(tmp_path / "out.parquet", schemas.MESSAGES)
    assert kept.select("conversation_id", "text").rows() == [("a", "<email_1>"), ("a", "yo")]
    rejected = read_frame(tmp_path / "q.parquet", schemas.QUARANTINE)
    assert rejected["record"].to_list() == ["a:2", "b", "c", "d"]
    assert read_json(tmp_path / "metrics.json") == {
        "n_conversations_in": 4,
        "n_conversations": 1,
        "n_messages_in": 8,
        "n_messages": 2,
        "dropped_by_reason": {
            "empty message": 1,
            "fewer than 2 messages": 1,
            "person has 1 earlier conversations": 1,
            "same messages as another conversation": 1,
        },
        "scrubbed_by_kind": {"email": 2, "url": 0},
    }


def test_nothing_left_is_an_error_that_counts_the_reasons(
    tmp_path: Path, messages: Callable[..., pl.DataFrame]
) -> None:
    with pytest.raises(DataError, match=r"nothing is left of 1 messages: .*'fewer than 2 messages': 1.*relax"):
        run(tmp_path, messages("a", "hi"))
    assert not (tmp_path / "out.parquet").exists()
