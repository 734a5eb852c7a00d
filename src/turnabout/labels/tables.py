"""Samples and labels as CSV files that people open in a spreadsheet.

Mistakes in a file are reported with the numbers of their lines.
"""

from pathlib import Path

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY, drop_test_split
from turnabout.errors import DataError

#: Files of the folder `labels`: the drawn exchanges, and people's labels. Both hold ids and no text.
SAMPLE_FILE, LABELS_FILE = "sample.csv", "feedback.csv"

#: Columns that identify one judgement.
JUDGEMENT_KEY = [*REPLY_KEY, "annotator"]

#: The labels of an exchange, and the categories that a judge may give with each.
CATEGORIES_BY_LABEL = {
    "sat": ["positive"],
    "dsat": ["rephrase", "correction", "complaint", "clarification", "revision"],
    "none": [],
}

#: Largest number of mistakes that an error lists.
MAX_LISTED = 20


def read_csv_table(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """Read the columns of `schema` from the CSV file at `path`.

    The table is empty where there is no such file; other columns are ignored. Commas, semicolons or tabs may separate
    the cells, because spreadsheets use the separator of their country. Raises `DataError` for a missing column, or for
    a value that is not a whole number where one is needed.
    """
    if not path.exists():
        return schema.to_frame()
    try:
        table = pl.read_csv(path, infer_schema=False, separator=_detect_separator(path))
        missing = [column for column in schema if column not in table.columns]
        if missing:
            raise DataError(f"{path}: missing columns {missing}; has {table.columns}; needs {list(schema)}")
        return table.select(list(schema)).cast(dict(schema))  # type: ignore[arg-type]
    except pl.exceptions.NoDataError:
        return schema.to_frame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: {error}".splitlines()[0] + "; expected CSV as `turnabout label` writes it") from error


def _detect_separator(path: Path) -> str:
    """Return the separator of the column names in the first line."""
    with path.open("rb") as file:
        header = file.readline()
    return max((b",", b";", b"\t"), key=header.count).decode()


def read_labels(path: Path) -> pl.DataFrame:
    """Read people's labels (`schemas.LABELS`).

    Raises `DataError` that names every line which cannot be a judgement.
    """
    rows = read_csv_table(path, schemas.LABELS).with_row_index("line", offset=2)
    lines_without_annotator = rows.filter(pl.col("annotator").is_null())["line"]
    mistakes = _check_values(rows) + [f"line {line}: annotator is missing" for line in lines_without_annotator]
    _raise_mistakes(path, mistakes)
    return rows.select(list(schemas.LABELS))


def drop_test_labels(labels: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Return the labels of train and validation conversations."""
    return labels.join(drop_test_split(splits), on="conversation_id", how="semi", maintain_order="left")


def count_unread(path: Path, labels: pl.DataFrame) -> int:
    """Count the judgements in a filled-in table that are not among the labels.

    `path` is the table that `build_form` made.
    """
    filled = read_csv_table(path, schemas.LABELS).drop_nulls("label")
    return filled.join(labels, on=JUDGEMENT_KEY, how="anti").height


def read_judgements(path: Path, sample: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """Read a filled-in table as `schemas.LABELS`.

    Rows without a label are left out. `annotator` is used where a row names none. Raises `DataError` that names every
    line with a label, a category or an exchange that is not allowed.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file; give the CSV that the page's Export saved, or labels/to_label.csv")
    rows = read_csv_table(path, schemas.LABELS).with_row_index("line", offset=2)
    rows = rows.with_columns(pl.col("label", "category", "annotator").str.strip_chars().replace("", None))
    judgements = rows.drop_nulls("label").with_columns(pl.col("annotator").fill_null(annotator))
    _raise_mistakes(path, [*_check_values(judgements), *_check_exchanges(judgements, sample)])
    return judgements.unique(JUDGEMENT_KEY, keep="last", maintain_order=True).select(list(schemas.LABELS))


def merge_labels(labels: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Merge old and new labels, sorted.

    A new judgement replaces the annotator's earlier one.
    """
    return pl.concat([labels, new]).unique(JUDGEMENT_KEY, keep="last", maintain_order=True).sort(JUDGEMENT_KEY)


def _raise_mistakes(path: Path, mistakes: list[str]) -> None:
    """Raise `DataError` with the mistakes, if there are any."""
    if mistakes:
        more = [f"and {len(mistakes) - MAX_LISTED} more"] if len(mistakes) > MAX_LISTED else []
        listed = "\n  ".join(mistakes[:MAX_LISTED] + more)
        raise DataError(f"{path}: nothing was read; correct these lines and read the file again:\n  {listed}")


def _check_values(judgements: pl.DataFrame) -> list[str]:
    mistakes = []
    for line, label, category in judgements.select("line", "label", "category").iter_rows():
        if label not in CATEGORIES_BY_LABEL:
            mistakes.append(f"line {line}: label '{label}' is not one of {sorted(CATEGORIES_BY_LABEL)}")
        elif category is not None and category not in CATEGORIES_BY_LABEL[label]:
            categories = CATEGORIES_BY_LABEL[label]
            allowed = f"one of {categories}, or empty" if categories else "empty"
            mistakes.append(f"line {line}: category '{category}' of label '{label}' must be {allowed}")
    return mistakes


def _check_exchanges(judgements: pl.DataFrame, sample: pl.DataFrame) -> list[str]:
    unknown = judgements.join(sample, on=REPLY_KEY, how="anti").select("line", *REPLY_KEY)
    return [
        f"line {line}: exchange {conversation} / {reply} was never drawn; see labels/{SAMPLE_FILE}"
        for line, conversation, reply in unknown.iter_rows()
    ]
