"""Tests of `turnabout forget`."""

from pathlib import Path

import pytest

from tests.toy_project import create_toy_project
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import write_frame


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = create_toy_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def forget(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget", *arguments])
    assert ended.value.code == 0


def test_forget_counts_conversations_and_adds_each_person_once(project, messages, capsys):
    write_frame(messages("c1", "q", "a"), project / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    forget("ann", "eve", "--even-if-unknown")
    output = capsys.readouterr().out
    assert "ann: 1 conversations" in output
    assert "eve: 0 conversations" in output
    forgotten = (project / "forgotten.txt").read_text()
    assert "ann" not in forgotten
    forget("ann")
    assert (project / "forgotten.txt").read_text() == forgotten


def test_forget_accepts_a_person_whom_cleaning_dropped(project, messages, capsys):
    write_frame(messages("c1", "q", "a"), project / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    dropped = messages("c2", "q", "a", user="bob")
    write_frame(dropped, project / "data" / "ingested" / "part-00.parquet", schemas.MESSAGES)
    forget("bob")
    assert "bob: 1 conversations" in capsys.readouterr().out


def test_forget_refuses_people_who_are_in_no_table(project, messages):
    write_frame(messages("c1", "q", "a"), project / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    with pytest.raises(SystemExit, match=r"^DataError: an, nobody-here: in no conversation of data/ingested or"):
        main(["forget", "ann", "an", "nobody-here"])
    assert not (project / "forgotten.txt").exists()


def test_forget_accepts_a_listed_person_who_is_in_no_table_any_more(project, capsys):
    forget("ann", "--even-if-unknown")
    forgotten = (project / "forgotten.txt").read_text()
    forget("ann")
    assert (project / "forgotten.txt").read_text() == forgotten
    assert "ann: 0 conversations" in capsys.readouterr().out


def test_forget_refuses_people_in_a_project_without_tables(project):
    (project / "data" / "messages").mkdir(parents=True)
    with pytest.raises(SystemExit, match="give --even-if-unknown for a person whose logs are read later"):
        main(["forget", "ann"])


def test_forget_outside_a_project_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="change into a turnabout project"):
        main(["forget", "ann"])
