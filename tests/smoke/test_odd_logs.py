"""The whole graph on logs without usable data.

It reports an empty result, or stops with one plain sentence.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.smoke.graph import create_project, read_metrics, run_stages_in_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def build_conversations(n_users: int, n: int = 16) -> list[dict[str, Any]]:
    """Return conversations in which no user reacts to a reply."""
    texts = ["What grows in a garden, say in bed {}?", "Beans do.", "When are they ripe?", "In August."]
    conversations = []
    for i in range(n):
        messages = [{"role": ("user", "assistant")[k % 2], "content": text.format(i)} for k, text in enumerate(texts)]
        conversations.append({"conversation_id": f"c{i:02}", "user_id": f"u{i % n_users}", "messages": messages})
    return conversations


def test_log_without_feedback_runs_through_and_reports_it(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = create_project(tmp_path / "p", stopping_checkpoint, build_conversations(n_users=8))
    run_stages_in_process(project, monkeypatch)
    assert read_metrics(project, "mine")["n_signals"] == 0
    assert "no feedback" in read_metrics(project, "mine")["warnings"][0]
    assert read_metrics(project, "build_pairs/drift")["n_pairs"] == 0
    assert "no usable preference pair" in read_metrics(project, "train_assistant/drift")["reason"]
    assert "not measured" in (project / "report/index.html").read_text()


def test_log_of_one_user_raises_an_error_with_a_remedy(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = create_project(tmp_path / "p", stopping_checkpoint, build_conversations(n_users=1))
    with pytest.raises(SystemExit, match=r"DataError: train_user: none of 0 training conversations .*; raise"):
        run_stages_in_process(project, monkeypatch)
    assert "train split is empty (16 conversations of 1 person in all)" in read_metrics(project, "split")["warnings"][0]


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([], "no conversation could be read"),
        ([{"messages": [{"role": "user", "content": "hello?"}]}], "fewer than 4 messages"),
        ([{"messages": "hello"}], "messages"),
    ],
)
def test_log_without_training_data_stops_with_the_reason(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, log: list[dict[str, Any]], message: str
) -> None:
    project = create_project(tmp_path / "p", stopping_checkpoint, log)
    with pytest.raises(SystemExit, match=message):
        run_stages_in_process(project, monkeypatch)
