"""Check that settings in the documents are valid in `params.yaml`."""

import re
from typing import Any

import pytest
import yaml

from benchmarks.arms import merge_params
from tests.promises.documents import DOCUMENTS, Block, read_blocks, read_text
from tests.source_tree import ROOT
from turnabout.augment import AUGMENTERS
from turnabout.core.config import resolve
from turnabout.feedback.miners import MINERS
from turnabout.generation.registry import BACKENDS
from turnabout.params import Params
from turnabout.preferences import RULES
from turnabout.sources import SOURCES

SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))

#: Tables of the settings that are written in one line, by their first key.
TABLES: dict[str, Any] = {
    "format": SOURCES,
    "miner": MINERS,
    "writes": AUGMENTERS,
    "rule": RULES,
    "backend": BACKENDS,
}


def list_yaml_blocks() -> list[Any]:
    blocks = [block for block in read_blocks() if block.language == "yaml"]
    return [pytest.param(block, id=f"{block.document}:{n}") for n, block in enumerate(blocks)]


@pytest.mark.parametrize("block", list_yaml_blocks())
def test_settings_are_valid_in_the_shipped_params(block: Block) -> None:
    fragment = yaml.safe_load(block.text)
    if block.document == "README.md":  # sections that replace the shipped ones as they are
        Params.model_validate({**SHIPPED, **fragment})
        return
    if isinstance(fragment, list):  # augmenters; two of one name are alternatives, so each is the last one once
        for entry in fragment:
            validate_fragment({"augment": {"augmenters": [*fragment, entry]}})
        return
    assert fragment.keys() <= SHIPPED.keys()
    validate_fragment(fragment)


def validate_fragment(fragment: dict[str, Any]) -> None:
    Params.model_validate(merge_params(SHIPPED, [{"arms": SHIPPED["arms"], **fragment}]))


@pytest.mark.parametrize("block", list_yaml_blocks())
def test_values_in_a_comment_behind_an_augmenter_are_its_defaults(block: Block) -> None:
    for entry, comment in re.findall(r"^- (\{writes: .*?\}) +# (\w+: .*)$", block.text, re.MULTILINE):
        augmenter, shown = resolve(AUGMENTERS, "writes", yaml.safe_load(entry)), yaml.safe_load(f"{{{comment}}}")
        assert {name: augmenter.model_dump()[name] for name in shown} == shown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_in_one_line_are_valid(document: str) -> None:
    for entry in re.findall(r"`(\{(?:format|miner|writes|rule|backend): [^`]*\})`", read_text(document)):
        if "…" not in entry:  # `{backend: openai, …}` shows that there is more
            settings = yaml.safe_load(" ".join(entry.replace("@COMMIT", "@" + 40 * "0").split()))
            key = next(iter(settings))
            assert type(resolve(TABLES[key], key, settings)) is TABLES[key][settings[key]]
