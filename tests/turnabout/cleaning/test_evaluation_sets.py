from pathlib import Path

import polars as pl
import pytest

from turnabout.cleaning.evaluation_sets import read_evaluation_texts
from turnabout.errors import DataError


def test_read_evaluation_texts_returns_all_strings_or_those_of_a_field(tmp_path: Path) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text('{"question": "why?", "id": 4, "choices": [{"text": "a"}, {"text": "b"}]}\n{"question": "how?"}\n')
    assert read_evaluation_texts(str(path)) == ["why?", "a", "b", "how?"]
    assert read_evaluation_texts(str(path), "text") == ["a", "b"]
    assert read_evaluation_texts(str(path), "choices") == ["a", "b"]


def test_read_evaluation_texts_takes_each_line_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "quiz.txt").write_text("why?\n\n how? \n")
    assert read_evaluation_texts(str(tmp_path / "quiz.txt")) == ["why?", " how? "]


def test_read_evaluation_texts_reads_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"question": ["why?"], "answer": [3]}).write_parquet(tmp_path / "quiz.parquet")
    assert read_evaluation_texts(str(tmp_path / "quiz.parquet")) == ["why?"]


@pytest.mark.parametrize(
    ("name", "content", "field", "message"),
    [
        ("gone.txt", None, None, "no such file"),
        ("gone.jsonl", None, None, "no log file"),
        ("quiz.jsonl", '{"question": "why?"}\n{"ques\n', None, "quiz.jsonl:2: broken JSON"),
        ("quiz.jsonl", '{"question": "why?"}\n', "qestion", "no text under the field 'qestion'"),
    ],
)
def test_read_evaluation_texts_raises_when_a_set_cannot_be_read(
    tmp_path: Path, name: str, content: str | None, field: str, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_evaluation_texts(str(tmp_path / name), field)
