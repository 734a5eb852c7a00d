"""The stages of the ablations on a tiny model: two arms, and the table of both."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages import ablate, compare
from turnabout import schemas
from turnabout.ablations.arm import TURNS
from turnabout.io import read_frame, read_json, write_frame

SHIPPED = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def arms(tmp_path: Path, tiny_checkpoint: Path, messages: Callable[..., pl.DataFrame], monkeypatch) -> list[str]:  # type: ignore[no-untyped-def]
    """Two arms trained on ten conversations and on a fifth of them, none with a model that names intents."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load(SHIPPED.read_text())
    params["backbone"]["dtype"] = "float32"
    params["ablate"] = {"conversations": {"train": 10, "validation": 2, "test": 3}}
    params["intend"] |= {"max_prompt_tokens": 16, "max_new_tokens": 4, "tries": 1, "max_fallback": 1.0}
    start = {"start": str(tiny_checkpoint), "detail": "none"}
    params["user_arms"] = {"whole": {**start, "share": 1.0}, "fifth": {**start, "share": 0.2}}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    splits = ["train"] * 10 + ["validation"] * 2 + ["test"] * 3
    talks = [messages(f"c{i:02}", "hi there", "yes?", f"number {i}", "bye", user=f"u{i}") for i in range(len(splits))]
    write_frame(pl.concat(talks), Path("messages.parquet"), schemas.MESSAGES)
    people = [{"conversation_id": f"c{i:02}", "user_key": f"u{i}", "split": split} for i, split in enumerate(splits)]
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), Path("splits.parquet"), schemas.SPLITS)
    for arm in ("whole", "fifth"):
        outs = (Path("turns", f"{arm}.parquet"), Path("figures", f"{arm}.json"), Path("plots", f"{arm}.csv"))
        ablate.main(arm, Path("messages.parquet"), Path("splits.parquet"), tiny_checkpoint, *outs)
    return ["whole", "fifth"]


def test_arms_learn_from_their_share_and_are_measured_on_the_same_people(arms: list[str]) -> None:
    figures = {arm: read_json(Path("figures", f"{arm}.json")) for arm in arms}
    assert [figures[arm]["training"]["n_samples"] for arm in arms] == [10, 2]
    read = [read_frame(Path("turns", f"{arm}.parquet"), TURNS) for arm in arms]
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
    whole, fifth = (figures[arm]["bits_per_character"]["none"]["value"] for arm in arms)
    assert saved["value"] == pytest.approx(whole - fifth)
