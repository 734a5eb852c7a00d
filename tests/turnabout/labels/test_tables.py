"""Judgements read back: mistakes are named by line and nothing is read; a new judgement replaces."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.errors import DataError
from turnabout.labels.tables import merge_labels, read_csv_table, read_judgements, read_labels

SAMPLE = pl.DataFrame(
    [("c1", 1, 1, "silent", 9, 2), ("c1", 3, 1, "silent", 9, 2)], schema=schemas.LABEL_SAMPLE, orient="row"
)
HEADER = "conversation_id,reply_index,label,category,annotator,follow_up\n"


@pytest.fixture
def read_text(tmp_path):
    def write_and_read(text):
        (tmp_path / "in.csv").write_text(text, encoding="utf-8")
        return read_judgements(tmp_path / "in.csv", SAMPLE, "ann")

    return write_and_read


def test_filled_in_rows_are_read_and_empty_ones_left_out(read_text):
    judgements = read_text(HEADER + 'c1,1,dsat,complaint,bea,"no,\nno"\nc1,3,,,,hm\n')
    assert judgements.rows() == [("c1", 1, "dsat", "complaint", "bea")]
    assert read_text(HEADER + "c1,1, none ,,,\n").rows() == [("c1", 1, "none", None, "ann")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c1,1,bad,,ann,", r"line 3: label 'bad' is not one of \['dsat', 'none', 'sat'\]"),
        ("c1,1,dsat,anger,ann,", r"line 3: category 'anger' of label 'dsat' must be one of \['rephrase', "),
        ("c1,1,none,complaint,ann,", r"line 3: category 'complaint' of label 'none' must be empty"),
        ("c9,1,sat,,ann,", r"line 3: exchange c9 / 1 was never drawn"),
        ("c1,one,sat,,ann,", r"expected CSV as `turnabout label` writes it"),
    ],
)
def test_wrong_row_is_named_and_nothing_is_read(read_text, row, message):
    with pytest.raises(DataError, match=message):
        read_text(HEADER + "c1,1,sat,,ann,\n" + row + "\n")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark_are_read(read_text, separator):
    assert read_text("\ufeff" + HEADER.replace(",", separator) + "c1,1,sat,,bea,\n".replace(",", separator)).rows() == [
        ("c1", 1, "sat", None, "bea")
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [("c1,1,good,,ann,", "line 2: label 'good' is not one of"), ("c1,1,sat,,,", "line 2: annotator is missing")],
)
def test_labels_edited_by_hand_are_checked_too(tmp_path, row, message):
    (tmp_path / "feedback.csv").write_text(HEADER + row + "\n")
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "feedback.csv")


def test_missing_column_or_file_is_named(read_text, tmp_path):
    with pytest.raises(DataError, match=r"missing columns \['category', 'annotator'\]"):
        read_text("conversation_id,reply_index,label\nc1,1,sat\n")
    with pytest.raises(DataError, match="no such file"):
        read_judgements(tmp_path / "absent.csv", SAMPLE, "ann")
    assert read_csv_table(tmp_path / "absent.csv", schemas.LABELS).is_empty()


def test_later_judgement_of_a_person_replaces_the_earlier_one(read_text):
    old, new = read_text(HEADER + "c1,3,sat,,bea,\nc1,1,sat,,ann,\n"), read_text(HEADER + "c1,1,none,,ann,\n")
    assert merge_labels(old, new).select("reply_index", "label", "annotator").rows() == [
        (1, "none", "ann"),
        (3, "sat", "bea"),
    ]
