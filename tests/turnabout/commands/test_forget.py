"""The command `forget`: who was found, who is on the list already, and a project without tables."""

from pathlib import Path

import pytest

from tests.toy_project import make_project
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import write_frame


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def forget(*people: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget", *people])
    assert ended.value.code == 0


def test_it_says_how_many_conversations_go_and_adds_each_person_once(project, messages, capsys):
    write_frame(messages("c1", "q", "a"), project / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    forget("ann", "eve")
    told = capsys.readouterr().out
    assert "ann: 1 conversations in data/messages" in told
    assert "eve: 0 conversations in data/messages" in told
    once = (project / "forgotten.txt").read_text()
    assert "ann" not in once
    forget("ann")
    assert (project / "forgotten.txt").read_text() == once


def test_a_project_without_tables_or_with_an_empty_folder_of_them_takes_a_name_all_the_same(project, capsys):
    forget("ann")
    (project / "data" / "messages").mkdir(parents=True, exist_ok=True)
    forget("bob")
    assert "bob: 0 conversations" in capsys.readouterr().out


def test_outside_of_a_project_it_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="change into a turnabout project"):
        main(["forget", "ann"])
