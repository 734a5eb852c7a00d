"""`turnabout label`: a page or table of a sample, judgements read back, and no test conversation."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from tests.toy_project import create_toy_project
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import write_frame
from turnabout.errors import DataError


@pytest.fixture
def project(tmp_path, messages, signal, monkeypatch):
    """Six conversations of one exchange, one of them test; the rules complain about the first."""
    root = create_toy_project(tmp_path / "project")
    log = pl.concat(messages(f"c{i}", "q", "a </script>", "r", user=f"u{i}") for i in range(6))
    splits = [
        {"conversation_id": f"c{i}", "user_key": f"u{i}", "split": "test" if i == 5 else "train"} for i in range(6)
    ]
    write_frame(log, root / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    write_frame(pl.DataFrame(splits, schema=schemas.SPLITS), root / "data" / "splits.parquet", schemas.SPLITS)
    feedback = pl.DataFrame([{**signal("c0", 1), "miner": "rules"}], schema=schemas.FEEDBACK)
    write_frame(feedback, root / "data" / "feedback.parquet", schemas.FEEDBACK)
    monkeypatch.chdir(root)
    return root


def label(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["label", "--annotator", "ann", *arguments])
    if ended.value.code:
        raise DataError(str(ended.value.code))


def list_shown(project: Path) -> list[str]:
    page = (project / "labels" / "label.html").read_text(encoding="utf-8")
    match = re.search(r"= (\{\"annotator\".*\});\n", page)
    assert match is not None
    return [row["conversation_id"] for row in json.loads(match[1])["exchanges"]]


def test_page_shows_the_sample_and_loads_nothing_from_elsewhere(project):
    label("--size", "4")
    page = (project / "labels" / "label.html").read_text(encoding="utf-8")
    assert len(list_shown(project)) == 4
    assert "c0" in list_shown(project)  # the one that the rules flag
    assert "c5" not in list_shown(project)  # the test conversation
    assert page.count("</script>") == 1  # words of a message end no script
    assert not re.search(r"https?://|src=", page)
    assert "complaint" not in page[page.index("const {") : page.index("const key")]  # what miners found is not shown


def test_same_page_is_written_until_all_is_judged(project):
    label("--size", "3")
    first = (project / "labels" / "label.html").read_bytes()
    label("--size", "3")
    assert (project / "labels" / "label.html").read_bytes() == first
    judged = "\n".join(f"{c},1,none,,ann" for c in list_shown(project))
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\n" + judged)
    old = list_shown(project)
    label("--read", "in.csv")
    label("--size", "3")
    assert sorted(old + list_shown(project)) == ["c0", "c1", "c2", "c3", "c4"]


def test_filled_in_table_is_read_back(project, capsys):
    label("--csv", "--size", "5")
    form = pl.read_csv(project / "labels" / "to_label.csv").with_columns(label=pl.lit("dsat"))
    form.write_csv(project / "filled.csv")
    label("--read", "filled.csv")
    labels = pl.read_csv(project / "labels" / "feedback.csv")
    assert labels.columns == list(schemas.LABELS)
    assert (labels.height, labels["label"].unique().to_list()) == (5, ["dsat"])
    assert "5 judgements read" in capsys.readouterr().out
    with pytest.raises(DataError, match="nothing is left to judge: all 5 exchanges"):
        label()


def test_filled_in_table_is_not_overwritten_before_it_is_read(project):
    label("--csv", "--size", "2")
    table = project / "labels" / "to_label.csv"
    label("--csv")  # nothing is filled in yet
    pl.read_csv(table).with_columns(label=pl.lit("dsat")).write_csv(table)
    filled = table.read_bytes()
    with pytest.raises(DataError, match=r"2 judgements .* were not read; run `turnabout label --read"):
        label("--csv")
    assert table.read_bytes() == filled
    label("--read", str(table))
    label("--csv", "--size", "2")
    assert pl.read_csv(table)["label"].null_count() == 2


def test_exchanges_no_longer_in_log_or_training_are_not_shown(project):
    label("--size", "5")
    splits = pl.read_parquet(project / "data" / "splits.parquet")
    moved = splits.with_columns(split=pl.when(conversation_id="c1").then(pl.lit("test")).otherwise("split"))
    write_frame(moved, project / "data" / "splits.parquet", schemas.SPLITS)
    part = project / "data" / "messages" / "part-00.parquet"
    write_frame(pl.read_parquet(part).filter(pl.col("conversation_id") != "c2"), part, schemas.MESSAGES)
    label()
    assert sorted(list_shown(project)) == ["c0", "c3", "c4"]
    judged = "\n".join(f"{c},1,none,,ann" for c in list_shown(project))
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\n" + judged)
    label("--read", "in.csv")
    with pytest.raises(DataError, match="nothing is left to judge"):
        label()


def test_annotator_is_required_when_there_is_no_user_name(project, monkeypatch):
    def raise_key_error() -> str:
        raise KeyError("getpwuid(): uid not match: 12345")

    monkeypatch.setattr("getpass.getuser", raise_key_error)
    label("--size", "2")
    with pytest.raises(SystemExit, match="--annotator NAME"):
        main(["label"])


def test_wrong_label_is_reported_and_changes_nothing(project):
    label("--size", "2")
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\nc0,1,awful,,ann\n")
    with pytest.raises(DataError, match="line 2: label 'awful' is not one of"):
        label("--read", "in.csv")
    assert not (project / "labels" / "feedback.csv").exists()
