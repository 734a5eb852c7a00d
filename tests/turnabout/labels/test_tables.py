"""Judgements read back: what is wrong is named by line and nothing is read; a change of mind replaces."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.errors import DataError
from turnabout.labels.tables import merge_labels, read_judgements, read_labels, read_csv_table

SAMPLE = pl.DataFrame(
    [("c1", 1, 1, "silent", 9, 2), ("c1", 3, 1, "silent", 9, 2)], schema=schemas.LABEL_SAMPLE, orient="row"
)
HEADER = "conversation_id,reply_index,label,category,annotator,follow_up\n"


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "in.csv").write_text(text, encoding="utf-8")
        return read_judgements(tmp_path / "in.csv", SAMPLE, "ann")

    return read


def test_filled_in_rows_are_read_and_empty_ones_left(read):
    found = read(HEADER + 'c1,1,dsat,complaint,bea,"no,\nno"\nc1,3,,,,hm\n')
    assert found.rows() == [("c1", 1, "dsat", "complaint", "bea")]
    assert read(HEADER + "c1,1, none ,,,\n").rows() == [("c1", 1, "none", None, "ann")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("c1,1,bad,,ann,", r"line 3: label 'bad' is not one of \['dsat', 'none', 'sat'\]"),
        ("c1,1,dsat,anger,ann,", r"line 3: category 'anger' of label 'dsat' must be one of \['rephrase', "),
        ("c1,1,none,complaint,ann,", r"line 3: category 'complaint' of label 'none' must be empty"),
        ("c9,1,sat,,ann,", r"line 3: exchange c9 / 1 was never drawn"),
        ("c1,one,sat,,ann,", r"expected CSV as `turnabout label` writes it"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_read(read, row, told):
    with pytest.raises(DataError, match=told):
        read(HEADER + "c1,1,sat,,ann,\n" + row + "\n")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_spreadsheet_may_write_other_separators_and_a_mark_of_its_encoding(read, separator):
    assert read("\ufeff" + HEADER.replace(",", separator) + "c1,1,sat,,bea,\n".replace(",", separator)).rows() == [
        ("c1", 1, "sat", None, "bea")
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [("c1,1,good,,ann,", "line 2: label 'good' is not one of"), ("c1,1,sat,,,", "line 2: annotator is missing")],
)
def test_labels_mended_by_hand_are_checked_too(tmp_path, row, told):
    (tmp_path / "feedback.csv").write_text(HEADER + row + "\n")
    with pytest.raises(DataError, match=told):
        read_labels(tmp_path / "feedback.csv")


def test_a_missing_column_or_file_is_named(read, tmp_path):
    with pytest.raises(DataError, match=r"missing columns \['category', 'annotator'\]"):
        read("conversation_id,reply_index,label\nc1,1,sat\n")
    with pytest.raises(DataError, match="no such file"):
        read_judgements(tmp_path / "absent.csv", SAMPLE, "ann")
    assert read_csv_table(tmp_path / "absent.csv", schemas.LABELS).is_empty()


def test_a_later_judgement_of_the_same_person_replaces_the_earlier(read):
    old, new = read(HEADER + "c1,3,sat,,bea,\nc1,1,sat,,ann,\n"), read(HEADER + "c1,1,none,,ann,\n")
    assert merge_labels(old, new).select("reply_index", "label", "annotator").rows() == [
        (1, "none", "ann"),
        (3, "sat", "bea"),
    ]
