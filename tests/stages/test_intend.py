"""The stage `intend` with a paid author: it stops at its budget, goes on with a bigger one, and writes no key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from benchmarks.faulty_endpoint import FaultyEndpoint, echo, unlucky
from stages.intend import main
from turnabout import schemas
from turnabout.errors import BudgetSpent
from turnabout.io import read_frame, read_json, write_frame

SHIPPED = Path(__file__).parents[2] / "params.yaml"
KEY = "sk-canary-0123456789abcdef"
PATHS = ("messages.parquet", "splits.parquet", "model", "intents.parquet", "metrics.json")


def boats(body: dict[str, Any]) -> dict[str, Any]:
    said = {"role": "assistant", "content": "The conversation is about boats."}
    return {**echo(body), "choices": [{"message": said, "finish_reason": "stop"}]}


@pytest.fixture
def run(tmp_path: Path, messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`run(url, calls=5)` runs the stage on ten conversations with such a budget, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY_KEY", KEY)
    monkeypatch.setattr("turnabout.generation.endpoint.FIRST_WAIT_S", 0.005)
    names = [f"c{i}" for i in range(10)]
    write_frame(pl.concat([messages(n, f"question {n}", "no") for n in names]), Path(PATHS[0]), schemas.MESSAGES)
    people = [{"conversation_id": name, "user_key": "ann", "split": "train"} for name in names]
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), Path(PATHS[1]), schemas.SPLITS)
    params = yaml.safe_load(SHIPPED.read_text())

    def build(url: str, **budget: int) -> None:
        author = {"generator": "openai", "model": "m", "base_url": url, "key": "CANARY_KEY", "budget": budget}
        params["intend"]["author"] = author
        Path("params.yaml").write_text(yaml.safe_dump(params))
        main(*map(Path, PATHS))

    return build


def test_a_budget_stops_the_stage_and_a_bigger_one_lets_it_end_without_paying_twice(
    run: Callable[..., None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with FaultyEndpoint(unlucky(0.3, seed=1), boats) as server:
        with pytest.raises(BudgetSpent, match=r"calls 4 of 4, .* 4 of these 10 answers are kept") as caught:
            run(server.url, calls=4)
        assert not (tmp_path / "intents.parquet").exists()
        run(server.url, calls=10)
    assert set(server.answered.values()) == {1}
    intents = read_frame(tmp_path / "intents.parquet", schemas.INTENTS)
    assert set(intents["author"]) == {"m"}
    assert read_json(tmp_path / "metrics.json")["n_fallback"] == 0
    assert KEY not in "".join(capfd.readouterr()) + str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
