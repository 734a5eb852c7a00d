"""The stage `intend`: budgets, retries, and no model in detail `none`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages.intend import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame
from turnabout.errors import BudgetExceeded
from turnabout.generation.testing import FaultyEndpoint, ManualClock, echo, fail_randomly
from turnabout.intents.wording import NO_INTENT, PREFIX

SHIPPED = ROOT / "params.yaml"
KEY = "sk-canary-0123456789abcdef"
PATHS = ("messages.parquet", "splits.parquet", "model", "intents.parquet", "metrics.json")


def answer_boats(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "The conversation is about boats."}
    return {**echo(body), "choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.fixture
def run(tmp_path: Path, messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that runs the stage on ten conversations, in a new folder.

    `run(url, detail=…, calls=5)` runs it with such a budget.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY_KEY", KEY)
    monkeypatch.setattr("turnabout.generation.endpoint.calls.Clock", ManualClock)
    names = [f"c{i}" for i in range(10)]
    write_frame(pl.concat([messages(n, f"question {n}", "no") for n in names]), Path(PATHS[0]), schemas.MESSAGES)
    people = [{"conversation_id": name, "user_key": "ann", "split": "train"} for name in names]
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), Path(PATHS[1]), schemas.SPLITS)
    params = yaml.safe_load(SHIPPED.read_text())

    def build(url: str, detail: str = "high_level", **budget: int) -> None:
        generator = {"backend": "openai", "model": "m", "base_url": url, "key": "CANARY_KEY", "budget": budget}
        params["intend"].update(generator=generator, detail=detail)
        Path("params.yaml").write_text(yaml.safe_dump(params))
        messages_path, splits, model, intents, metrics = map(Path, PATHS)
        main(messages_path, splits, model, intents=intents, metrics=metrics)

    return build


def test_intend_stops_at_its_budget_and_resumes_without_paying_twice(
    run: Callable[..., None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with FaultyEndpoint(fail_randomly(0.3, seed=1), answer_boats, hang_s=0.05) as server:
        with pytest.raises(BudgetExceeded, match=r"calls 4 of 4, .* 4 of these 10 answers are stored") as caught:
            run(server.url, calls=4)
        assert not (tmp_path / "intents.parquet").exists()
        run(server.url, calls=10)
    assert set(server.answered.values()) == {1}
    intents = read_frame(tmp_path / "intents.parquet", schemas.INTENTS)
    assert set(intents["model"]) == {"m"}
    assert read_json(tmp_path / "metrics.json")["n_fallback"] == 0
    assert KEY not in "".join(capfd.readouterr()) + str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_intend_asks_again_after_an_unusable_answer_once_for_all_runs(run: Callable[..., None], tmp_path: Path) -> None:
    def answer_unusable_first(body: dict[str, Any]) -> dict[str, Any]:
        answer = answer_boats(body)
        if "question c3" in body["messages"][-1]["content"] and not body["temperature"]:
            answer["choices"][0]["message"]["content"] = "I cannot help with that."
        return answer

    with FaultyEndpoint(answer=answer_unusable_first) as server:
        run(server.url)
        run(server.url)
    assert sum(server.answered.values()) == 11
    intents = read_frame(tmp_path / "intents.parquet", schemas.INTENTS)
    assert intents["intent"].unique().to_list() == [f"{PREFIX}boats."]
    assert intents.filter(pl.col("tries") > 1)["conversation_id"].to_list() == ["c3"]
    assert read_json(tmp_path / "metrics.json")["n_asked_again"] == 1


def test_intend_opens_no_model_in_detail_none(
    run: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CANARY_KEY")  # without it, the model cannot be opened
    run("http://127.0.0.1:9/v1", detail="none")
    assert read_frame(tmp_path / "intents.parquet", schemas.INTENTS)["intent"].unique().to_list() == [NO_INTENT]
    assert read_json(tmp_path / "metrics.json")["leaks"]["first_answers"]["value"] is None
