"""The command `label`: a page or table of a sample, judgements back, and never a test conversation."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from tests.toy_project import make_project
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import write_frame
from turnabout.errors import DataError


@pytest.fixture
def project(tmp_path, messages, signal, monkeypatch):
    """Six conversations of one exchange, one of them test; the rules complain about the first."""
    root = make_project(tmp_path / "project")
    said = pl.concat(messages(f"c{i}", "q", "a </script>", "r", user=f"u{i}") for i in range(6))
    splits = [
        {"conversation_id": f"c{i}", "user_key": f"u{i}", "split": "test" if i == 5 else "train"} for i in range(6)
    ]
    write_frame(said, root / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
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


def shown(project: Path) -> list[str]:
    page = (project / "labels" / "label.html").read_text(encoding="utf-8")
    found = re.search(r"= (\{\"annotator\".*\});\n", page)
    assert found
    return [row["conversation_id"] for row in json.loads(found[1])["exchanges"]]


def test_the_page_shows_the_sample_and_holds_nothing_from_elsewhere(project):
    label("--size", "4")
    page = (project / "labels" / "label.html").read_text(encoding="utf-8")
    assert len(shown(project)) == 4
    assert "c0" in shown(project)  # the one that the rules flag
    assert "c5" not in shown(project)  # the test conversation
    assert page.count("</script>") == 1  # words of a message end no script
    assert not re.search(r"https?://|src=", page)
    assert "complaint" not in page[page.index("const {") : page.index("const key")]  # what miners say is not shown


def test_the_same_page_comes_back_until_all_is_judged_then_a_new_sample(project):
    label("--size", "3")
    first = (project / "labels" / "label.html").read_bytes()
    label("--size", "3")
    assert (project / "labels" / "label.html").read_bytes() == first
    judged = "\n".join(f"{c},1,none,,ann" for c in shown(project))
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\n" + judged)
    old = shown(project)
    label("--read", "in.csv")
    label("--size", "3")
    assert sorted(old + shown(project)) == ["c0", "c1", "c2", "c3", "c4"]


def test_a_table_is_filled_in_and_read_back(project, capsys):
    label("--csv", "--size", "5")
    form = pl.read_csv(project / "labels" / "to_label.csv").with_columns(label=pl.lit("dsat"))
    form.write_csv(project / "filled.csv")
    label("--read", "filled.csv")
    kept = pl.read_csv(project / "labels" / "feedback.csv")
    assert kept.columns == list(schemas.LABELS)
    assert (kept.height, kept["label"].unique().to_list()) == (5, ["dsat"])
    assert "5 judgements read" in capsys.readouterr().out
    with pytest.raises(DataError, match="nothing is left to judge: all 5 exchanges"):
        label()


def test_a_filled_in_table_is_not_written_over_before_it_is_read(project):
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


def test_what_has_left_the_log_or_is_test_by_now_is_not_shown(project):
    label("--size", "5")
    splits = pl.read_parquet(project / "data" / "splits.parquet")
    moved = splits.with_columns(split=pl.when(conversation_id="c1").then(pl.lit("test")).otherwise("split"))
    write_frame(moved, project / "data" / "splits.parquet", schemas.SPLITS)
    part = project / "data" / "messages" / "part-00.parquet"
    write_frame(pl.read_parquet(part).filter(pl.col("conversation_id") != "c2"), part, schemas.MESSAGES)
    label()
    assert sorted(shown(project)) == ["c0", "c3", "c4"]
    judged = "\n".join(f"{c},1,none,,ann" for c in shown(project))
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\n" + judged)
    label("--read", "in.csv")
    with pytest.raises(DataError, match="nothing is left to judge"):
        label()


def test_where_the_machine_knows_no_name_one_is_asked_for(project, monkeypatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    label("--size", "2")
    with pytest.raises(SystemExit, match="--annotator NAME"):
        main(["label"])


def test_a_wrong_label_is_told_and_changes_nothing(project):
    label("--size", "2")
    (project / "in.csv").write_text("conversation_id,reply_index,label,category,annotator\nc0,1,awful,,ann\n")
    with pytest.raises(DataError, match="line 2: label 'awful' is not one of"):
        label("--read", "in.csv")
    assert not (project / "labels" / "feedback.csv").exists()
