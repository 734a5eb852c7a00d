"""The example in CONTRIBUTING.md works as it is written."""

import re
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import yaml

from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.feedback.miners import MINERS
from turnabout.feedback.mining import Mine

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> type:
    """The miner of the example, loaded as a module of its own and entered in the table."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    module = ModuleType("shouting")
    monkeypatch.setitem(sys.modules, "shouting", module)
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    miner: type = module.Shouting
    monkeypatch.setitem(MINERS, "shouting", miner)
    return miner


def test_example_miner_is_an_entry_of_params(shouting: type) -> None:
    section = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["mine"]
    mine = Mine.model_validate({**section, "miners": [*section["miners"], {"miner": "shouting"}]})
    assert isinstance(mine.miners[-1], shouting)


def test_example_miner_finds_capital_letters(shouting: type) -> None:
    rows = [
        {"conversation_id": "c1", "reply_index": 1, "evidence_index": 2, "follow_up": "STOP IT"},
        {"conversation_id": "c2", "reply_index": 1, "evidence_index": 2, "follow_up": "ok, thanks"},
    ]
    exchanges = pl.DataFrame(rows, schema_overrides=EXCHANGES)
    signals = schemas.check(shouting().mine(exchanges), schemas.FEEDBACK, "signals")
    assert signals.select("conversation_id", "label", "span", "score").rows() == [("c1", "dsat", "STOP IT", -0.6)]


def test_contributing_names_files_and_tables_that_exist() -> None:
    package = ROOT / "src" / "turnabout"
    table = TEXT.partition("## Adding a method")[2].partition("### Example")[0]
    paths = [path for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", table) if "<" not in path]
    assert len(paths) > 10
    assert [path for path in paths if not (package / path).exists()] == []
    for name, file in re.findall(r"`([A-Z]+)` in `([\w/]+\.py)`", table):
        assert name in (package / file).read_text(encoding="utf-8"), f"{file} has no {name}"


def test_contributing_names_every_make_target_it_lists() -> None:
    makefile = (Path(ROOT) / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", TEXT, re.MULTILINE)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
