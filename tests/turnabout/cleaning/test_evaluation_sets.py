from pathlib import Path

import polars as pl
import pytest

from turnabout.cleaning.evaluation_sets import evaluation_texts
from turnabout.errors import DataError


def test_every_string_of_a_record_or_only_those_of_a_field(tmp_path: Path) -> None:
    place = tmp_path / "quiz.jsonl"
    place.write_text('{"question": "why?", "id": 4, "choices": [{"text": "a"}, {"text": "b"}]}\n{"question": "how?"}\n')
    assert evaluation_texts(str(place)) == ["why?", "a", "b", "how?"]
    assert evaluation_texts(str(place), "text") == ["a", "b"]
    assert evaluation_texts(str(place), "choices") == ["a", "b"]


def test_text_files_hold_one_text_a_line(tmp_path: Path) -> None:
    (tmp_path / "quiz.txt").write_text("why?\n\n how? \n")
    assert evaluation_texts(str(tmp_path / "quiz.txt")) == ["why?", " how? "]


def test_parquet_is_read_like_a_log(tmp_path: Path) -> None:
    pl.DataFrame({"question": ["why?"], "answer": [3]}).write_parquet(tmp_path / "quiz.parquet")
    assert evaluation_texts(str(tmp_path / "quiz.parquet")) == ["why?"]


@pytest.mark.parametrize(
    ("name", "content", "field", "told"),
    [
        ("gone.txt", None, None, "no such file"),
        ("gone.jsonl", None, None, "no log file"),
        ("quiz.jsonl", '{"question": "why?"}\n{"ques\n', None, "quiz.jsonl:2: broken JSON"),
        ("quiz.jsonl", '{"question": "why?"}\n', "qestion", "no text under the field 'qestion'"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: str | None, field: str, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=told):
        evaluation_texts(str(tmp_path / name), field)
