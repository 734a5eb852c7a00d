"""Files of pairs: which lines are accepted, and the error for every bad one."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.scoring.base import Pair
from turnabout.scoring.pairs_file import read_pairs_file

PROMPT: list[Message] = [{"role": "user", "content": "When do you open?"}]


def build_line(**changes: Any) -> str:
    fields = {"id": "1", "prompt": PROMPT, "a": "At nine.", "b": "We sell bread.", **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def write_pairs(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_pairs_are_read_in_order_with_unchanged_ids(tmp_path: Path) -> None:
    path = write_pairs(
        tmp_path, build_line(id=7, note="ignored"), "", build_line(id="7"), build_line(checklist=["Say when."])
    )
    pairs = read_pairs_file(path, needs_checklist=False)
    assert [pair.id for pair in pairs] == [7, "7", "1"]
    assert pairs[0] == Pair(7, PROMPT, "At nine.", "We sell bread.", ())
    assert pairs[2].checklist == ("Say when.",)


def test_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(build_line().encode()))
    assert read_pairs_file(path, needs_checklist=False)[0].a == "At nine."


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (build_line(b=None), "pairs.jsonl:2: Object missing required field `b`"),
        (build_line(a=3), "pairs.jsonl:2: Expected `str`, got `int` - at `$.a`"),
        (build_line(prompt=[]), "pairs.jsonl:2: Expected `array` of length >= 1 - at `$.prompt`"),
        (build_line(prompt="Hi"), "pairs.jsonl:2: Expected `array`, got `str` - at `$.prompt`"),
        (build_line(prompt=[{"role": "human", "content": "Hi"}]), "pairs.jsonl:2: Invalid enum value 'human'"),
        (
            build_line(prompt=[*PROMPT, {"role": "assistant", "content": "Nine."}]),
            "the last message must be the user's",
        ),
        (
            build_line(prompt=[*PROMPT, {"role": "system", "content": "Hi"}, *PROMPT]),
            "a system message may only come first",
        ),
        (build_line(id="0"), "pairs.jsonl:2: id '0' is used at pairs.jsonl:1 already"),
        (build_line(id=""), "pairs.jsonl:2: Expected `str` of length >= 1 - at `$.id`"),
        ("{", "pairs.jsonl:2: broken JSON"),
        ("[]", "pairs.jsonl:2: Expected `object`, got `array`"),
    ],
)
def test_bad_line_is_reported_by_its_number(tmp_path: Path, bad: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs_file(write_pairs(tmp_path, build_line(id="0"), bad), needs_checklist=False)
    assert message in str(caught.value)
    assert "1 bad lines; nothing was scored" in str(caught.value)


def test_at_most_twenty_bad_lines_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and 5 more") as caught:
        read_pairs_file(write_pairs(tmp_path, *["{}"] * 25), needs_checklist=False)
    assert "pairs.jsonl:20:" in str(caught.value)
    assert "pairs.jsonl:21:" not in str(caught.value)


def test_missing_checklist_is_reported_when_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs the field `checklist`"):
        read_pairs_file(write_pairs(tmp_path, build_line()), needs_checklist=True)


def test_empty_and_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pairs"):
        read_pairs_file(write_pairs(tmp_path, ""), needs_checklist=False)
    with pytest.raises(DataError, match="no such file"):
        read_pairs_file(tmp_path / "none.jsonl", needs_checklist=False)
