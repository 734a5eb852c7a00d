from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import pytest
import yaml

from stages import clean as stage
from tests.source_tree import ROOT
from tests.test_pipeline import STAGES
from turnabout.cleaning.cleaner import Cleaner
from turnabout.core import parquet_parts, schemas
from turnabout.core.io import read_batches, read_frame, read_json
from turnabout.core.parquet_parts import IncrementalTable
from turnabout.errors import DataError

SHIPPED = ROOT / "params.yaml"

Build = Callable[..., pl.DataFrame]


def run(folder: Path, log: pl.DataFrame, out: str = "out") -> Path:
    """Run the stage and return the folder of its outputs.

    At least two messages make a conversation, and one conversation of a person is kept.
    """
    section = {
        "min_messages": 2,
        "max_conversations_per_person": 1,
        "scrub": ["email", "url"],
        "languages": None,
        "toxicity": False,
        "templates": 2,
        "decontaminate": "sets",
        "near_duplicates": 0.8,
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | {"clean": section}))
    ingested = IncrementalTable(Path(mkdtemp(dir=folder)) / "in", schemas.MESSAGES)
    ingested.append(log)
    ingested.close()
    outputs = folder / out
    stage.main(
        ingested.path,
        folder / "sets",
        messages=outputs / "m",
        quarantine=outputs / "q.parquet",
        ledger=outputs / "ledger",
        metrics=outputs / "metrics.json",
        params=folder / "params.yaml",
    )
    return outputs


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_clean_writes_and_counts_what_is_kept_and_dropped(tmp_path: Path, messages: Build) -> None:
    log = pl.concat(
        [
            messages("d", "x@y.com", "yo", ""),
            messages("c", "x@y.com", "yo"),
            messages("b", "hello", "yo"),
            messages("a", "hi", user="dan"),
        ]
    )
    out = run(tmp_path, log)
    kept = read_frame(out / "m", schemas.MESSAGES)
    assert kept.select("conversation_id", "text").rows() == [("d", "<email_1>"), ("d", "yo")]
    rejected = read_frame(out / "q.parquet", schemas.QUARANTINE)
    assert rejected["record"].to_list() == ["d:2", "a", "c", "b"]
    assert read_json(out / "metrics.json") == {
        "n_conversations": 1,
        "n_conversations_in": 4,
        "n_messages": 2,
        "n_messages_in": 8,
        "dropped_by_reason": {
            "empty message": 1,
            "fewer than 2 messages": 1,
            "person has 1 earlier conversations": 1,
            "same messages as another conversation": 1,
        },
        "scrubbed_by_kind": {"email": 2, "url": 0},
        "flagged_by_kind": {},
        "evaluation_texts_too_short": {},
    }


def test_clean_adds_only_new_batches_and_writes_the_same_bytes(
    tmp_path: Path, messages: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine people, every third of whom writes nearly the same; row groups of four messages."""
    monkeypatch.setattr(parquet_parts, "GROUP_WEIGHT", 4)
    monkeypatch.setattr(parquet_parts, "PART_BYTES", 1)
    letter = (
        "could you please help me to write a long and friendly letter to the owner of my little house about number {}"
    )
    texts = [letter.format(n) if n % 3 == 0 else f"something else {n}" for n in range(9)]
    talks = [messages(f"{9 - n}", text, "gladly", user=f"person {n}") for n, text in enumerate(texts)]
    n_cleaned = []
    clean_batch = Cleaner.clean_batch

    def count_cleaned(self: Cleaner, prepared: Any) -> Any:
        n_cleaned.append(prepared.messages.height)
        return clean_batch(self, prepared)

    monkeypatch.setattr(Cleaner, "clean_batch", count_cleaned)
    for n_talks in (5, 8, 9):
        out = run(tmp_path, pl.concat(talks[:n_talks]))
    assert n_cleaned == [4, 4, 2, 4, 4, 2]
    assert read_files(out) == read_files(run(tmp_path, pl.concat(talks), out="at once"))
    kept = [
        batch["conversation_id"].unique(maintain_order=True).to_list()
        for batch in read_batches(out / "m", schemas.MESSAGES)
    ]
    assert kept == [["9", "8"], ["7", "5"], ["4", "2"], ["1"]]


def test_clean_quarantines_conversations_with_text_of_an_evaluation_set(tmp_path: Path, messages: Build) -> None:
    question = "which planet has the largest known number of moons orbiting around it today"
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "README.md").write_text("no set")
    (tmp_path / "sets" / "quiz.txt").write_text(f"{question}\ntoo short\n")
    log = pl.concat([messages("a", f"Hm, {question}?", "many"), messages("b", "hello", "hi", user="bob")])
    before = run(tmp_path, log)
    assert read_frame(before / "q.parquet", schemas.QUARANTINE)["reason"].to_list() == [
        "text of an evaluation set: quiz.txt"
    ]
    assert read_json(before / "metrics.json")["evaluation_texts_too_short"] == {"quiz.txt": 1}
    (tmp_path / "sets" / "quiz.txt").write_text("entirely other words than those that anybody has said here so far\n")
    assert read_frame(run(tmp_path, log) / "q.parquet", schemas.QUARANTINE).is_empty()


def test_clean_raises_with_the_reasons_when_no_message_is_left(tmp_path: Path, messages: Build) -> None:
    with pytest.raises(DataError, match=r"nothing is left of 1 messages: .*'fewer than 2 messages': 1.*relax"):
        run(tmp_path, messages("a", "hi"))
    assert read_files(tmp_path / "out") == {}


def test_code_lists_all_code_among_the_dependencies_of_the_stage() -> None:
    deps = next(described.deps for described in STAGES if described.name == "clean")
    assert sorted(stage.CODE) == sorted(dep for dep in deps if dep.startswith(("src/", "stages/")))
