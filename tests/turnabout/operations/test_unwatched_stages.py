"""Stages that run every time, by the sources of `params.yaml`."""

from pathlib import Path

import pytest

from turnabout.operations.unwatched_stages import list_unwatched_stages
from turnabout.sources import SOURCES
from turnabout.sources.chitchat import Chitchat


class Database(Chitchat):
    is_live = True


@pytest.mark.parametrize(
    ("sources", "stages"),
    [
        ("[{format: chitchat}]", set()),
        ("[{format: chitchat}, {format: database}]", {"ingest"}),
        ("[{format: nonsense}, text]", set()),
        ("", set()),
    ],
)
def test_ingest_is_unwatched_if_a_source_is_live(
    sources: str, stages: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "database", Database)
    (tmp_path / "params.yaml").write_text(f"ingest:\n  sources: {sources}\n")
    assert list_unwatched_stages(tmp_path) == stages


def test_params_without_ingest_section_have_no_unwatched_stage(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    assert list_unwatched_stages(tmp_path) == frozenset()
