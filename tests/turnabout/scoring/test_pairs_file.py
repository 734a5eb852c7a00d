"""Files of pairs: what is taken, and what is told of every bad line."""

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


def line(**changed: Any) -> str:
    fields = {"id": "1", "prompt": PROMPT, "a": "At nine.", "b": "We sell bread.", **changed}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def written(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_pairs_come_in_order_with_ids_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, line(id=7, note="ignored"), "", line(id="7"), line(checklist=["Say when."]))
    pairs = read_pairs_file(path, checklist=False)
    assert [pair.id for pair in pairs] == [7, "7", "1"]
    assert pairs[0] == Pair(7, PROMPT, "At nine.", "We sell bread.", ())
    assert pairs[2].checklist == ("Say when.",)


def test_a_packed_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(line().encode()))
    assert read_pairs_file(path, checklist=False)[0].a == "At nine."


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (line(b=None), "pairs.jsonl:2: Object missing required field `b`"),
        (line(a=3), "pairs.jsonl:2: Expected `str`, got `int` - at `$.a`"),
        (line(prompt=[]), "pairs.jsonl:2: Expected `array` of length >= 1 - at `$.prompt`"),
        (line(prompt="Hi"), "pairs.jsonl:2: Expected `array`, got `str` - at `$.prompt`"),
        (line(prompt=[{"role": "human", "content": "Hi"}]), "pairs.jsonl:2: Invalid enum value 'human'"),
        (line(prompt=[*PROMPT, {"role": "assistant", "content": "Nine."}]), "the last message must be the user's"),
        (line(prompt=[*PROMPT, {"role": "system", "content": "Hi"}, *PROMPT]), "a system message may only come first"),
        (line(id="0"), "pairs.jsonl:2: id '0' stands at pairs.jsonl:1 already"),
        (line(id=""), "pairs.jsonl:2: Expected `str` of length >= 1 - at `$.id`"),
        ("{", "pairs.jsonl:2: broken JSON"),
        ("[]", "pairs.jsonl:2: Expected `object`, got `array`"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_what_was_expected(tmp_path: Path, bad: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs_file(written(tmp_path, line(id="0"), bad), checklist=False)
    assert told in str(caught.value)
    assert "1 bad lines; nothing was scored" in str(caught.value)


def test_all_bad_lines_are_told_up_to_twenty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and 5 more") as caught:
        read_pairs_file(written(tmp_path, *["{}"] * 25), checklist=False)
    assert "pairs.jsonl:20:" in str(caught.value)
    assert "pairs.jsonl:21:" not in str(caught.value)


def test_a_checklist_is_asked_for_where_the_scorer_needs_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs the field `checklist`"):
        read_pairs_file(written(tmp_path, line()), checklist=True)


def test_a_file_without_pairs_or_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pairs"):
        read_pairs_file(written(tmp_path, ""), checklist=False)
    with pytest.raises(DataError, match="no such file"):
        read_pairs_file(tmp_path / "none.jsonl", checklist=False)
