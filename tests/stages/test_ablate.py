"""The stages of the ablations on a tiny model: two arms and their table."""

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
    """A function that trains one of two arms without intents.

    One arm has ten conversations, the other a fifth of them.
    """
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

    def train_arm(arm: str) -> None:
        ablate.main(
            arm,
            messages=Path("messages.parquet"),
            splits=Path("splits.parquet"),
            model=tiny_checkpoint,
            turns=Path("turns", f"{arm}.parquet"),
            metrics=Path("figures", f"{arm}.json"),
            curve=Path("plots", f"{arm}.csv"),
        )

    return train_arm


def test_arms_train_on_their_share_and_are_evaluated_on_the_same_people(train: Callable[[str], None]) -> None:
    for arm in ARMS:
        train(arm)
    figures = {arm: read_json(Path("figures", f"{arm}.json")) for arm in ARMS}
    assert [figures[arm]["training"]["n_samples"] for arm in ARMS] == [10, 2]
    assert pl.read_csv(Path("plots", "whole.csv"))["learning_rate"].max() == 2e-3  # its own, not train_user's
    turns = [read_frame(Path("turns", f"{arm}.parquet"), ARM_TURNS) for arm in ARMS]
    keys = ["conversation_id", "turn", "intent_detail", "person", "characters"]
    assert turns[0].select(keys).equals(turns[1].select(keys))
    assert turns[0].group_by("intent_detail").agg(pl.col("person").n_unique()).sort("intent_detail").rows() == [
        ("high_level", 3),
        ("none", 3),
    ]
    assert not turns[0]["nats"].equals(turns[1]["nats"])

    compare.main(Path("turns"), Path("figures"), Path("table.md"), Path("comparison.json"))
    assert [line.split(" |")[0] for line in Path("table.md").read_text().splitlines()[2:]] == ["| `whole`", "| `fifth`"]
    saved = read_json(Path("comparison.json"))["fifth"]["none"]
    whole, fifth = (figures[arm]["bits_per_character"]["none"]["value"] for arm in ARMS)
    assert saved["value"] == pytest.approx(whole - fifth)


def test_intents_are_written_for_the_whole_sample_whatever_the_share(
    train: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    counts = []

    def count_conversations(messages: pl.DataFrame, *arguments: Any) -> pl.DataFrame:
        counts.append(messages["conversation_id"].n_unique())
        return write_intents(messages, *arguments)

    def stop_training(_: Any, samples: pl.DataFrame, **arguments: Any) -> None:
        raise Stop(samples.height)

    write_intents = ablate.write_intents
    monkeypatch.setattr(ablate, "write_intents", count_conversations)
    monkeypatch.setattr(ablate, "train_user", stop_training)
    with pytest.raises(Stop, match="2"):
        train("fifth")
    assert counts == [10, 5]  # ten for training; five for evaluation, whose intents are also withheld


def test_arm_that_is_not_in_the_parameters_is_an_error(train: Callable[[str], None]) -> None:
    with pytest.raises(ConfigError, match=r"user arm 'tird' is not one of \['fifth', 'whole'\]"):
        train("tird")
