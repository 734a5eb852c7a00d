"""The stages of the ablations on a tiny model: two arms, and the table of both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages import ablate, compare
from tests.source_tree import ROOT
from turnabout.ablations.arm import ARM_TURNS
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame
from turnabout.errors import ConfigError

SHIPPED = ROOT / "params.yaml"


ARMS = ["whole", "fifth"]


@pytest.fixture
def train(
    tmp_path: Path,
    tiny_checkpoint: Path,
    messages: Callable[..., pl.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], None]:
    """Trains one of two arms, on ten conversations or on a fifth of them, without intents."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load(SHIPPED.read_text())
    params["backbone"]["dtype"] = "float32"
    params["ablate"] = {"conversations": {"train": 10, "validation": 2, "test": 3}}
    params["intend"] |= {"max_prompt_tokens": 16, "max_new_tokens": 4, "tries": 1, "max_fallback": 1.0}
    start = {"start": str(tiny_checkpoint), "detail": "none"}
    params["user_arms"] = {
        "whole": {**start, "share": 1.0, "learning_rate": 2e-3},
        "fifth": {**start, "share": 0.2, "learning_rate": 1e-3},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    splits = ["train"] * 10 + ["validation"] * 2 + ["test"] * 3
    talks = [messages(f"c{i:02}", "hi there", "yes?", f"number {i}", "bye", user=f"u{i}") for i in range(len(splits))]
    write_frame(pl.concat(talks), Path("messages.parquet"), schemas.MESSAGES)
    people = [{"conversation_id": f"c{i:02}", "user_key": f"u{i}", "split": split} for i, split in enumerate(splits)]
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), Path("splits.parquet"), schemas.SPLITS)

    def of(arm: str) -> None:
        outs = (Path("turns", f"{arm}.parquet"), Path("figures", f"{arm}.json"), Path("plots", f"{arm}.csv"))
        ablate.main(arm, Path("messages.parquet"), Path("splits.parquet"), tiny_checkpoint, *outs)

    return of


def test_arms_learn_from_their_share_and_are_measured_on_the_same_people(train: Callable[[str], None]) -> None:
    for arm in ARMS:
        train(arm)
    figures = {arm: read_json(Path("figures", f"{arm}.json")) for arm in ARMS}
    assert [figures[arm]["training"]["n_samples"] for arm in ARMS] == [10, 2]
    assert pl.read_csv(Path("plots", "whole.csv"))["learning_rate"].max() == 2e-3  # its own, not train_user's
    read = [read_frame(Path("turns", f"{arm}.parquet"), ARM_TURNS) for arm in ARMS]
    keys = ["conversation_id", "turn", "told", "person", "characters"]
    assert read[0].select(keys).equals(read[1].select(keys))
    assert read[0].group_by("told").agg(pl.col("person").n_unique()).sort("told").rows() == [
        ("high_level", 3),
        ("none", 3),
    ]
    assert not read[0]["nats"].equals(read[1]["nats"])

    compare.main(Path("turns"), Path("figures"), Path("table.md"), Path("comparison.json"))
    assert [line.split(" |")[0] for line in Path("table.md").read_text().splitlines()[2:]] == ["| `whole`", "| `fifth`"]
    saved = read_json(Path("comparison.json"))["fifth"]["none"]
    whole, fifth = (figures[arm]["bits_per_character"]["none"]["value"] for arm in ARMS)
    assert saved["value"] == pytest.approx(whole - fifth)


def test_intents_are_asked_for_of_the_whole_sample_whatever_the_share(
    train: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    asked = []

    def noted(talk: pl.DataFrame, *rest: Any) -> pl.DataFrame:
        asked.append(talk["conversation_id"].n_unique())
        return written(talk, *rest)

    def trained(_: Any, learnt: pl.DataFrame, *rest: Any) -> None:
        raise Enough(learnt.height)

    written = ablate.write_intents
    monkeypatch.setattr(ablate, "write_intents", noted)
    monkeypatch.setattr(ablate, "train_user", trained)
    with pytest.raises(Enough, match="2"):
        train("fifth")
    assert asked == [10, 5]  # ten to learn from; five to be measured on, with the intents that are then also withheld


def test_an_arm_that_is_not_in_the_parameters_is_refused(train: Callable[[str], None]) -> None:
    with pytest.raises(ConfigError, match=r"user arm 'tird' is not one of \['fifth', 'whole'\]"):
        train("tird")
