"""Samples and labels as CSV files that people open in a spreadsheet; what is wrong in them is named by line."""

from pathlib import Path

import polars as pl

from turnabout.core import schemas
from turnabout.errors import DataError
from turnabout.labels.sampling import EXCHANGE

#: Files of the folder `labels`: what was drawn, and what people said. Both hold ids, no text.
SAMPLE, LABELS = "sample.csv", "feedback.csv"

#: What an exchange can be, and the kinds of feedback a judge may name.
CATEGORIES = {
    "sat": ["positive"],
    "dsat": ["rephrase", "correction", "complaint", "clarification", "revision"],
    "none": [],
}


def read_table(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """The CSV at `path` with the columns of `schema`; empty where there is no such file. Other columns are left out.

    Commas, semicolons or tabs may separate its cells: spreadsheets save what their country is used to.
    Raises `DataError` for a missing column, or a value that is no whole number where one must stand.
    """
    if not path.exists():
        return schema.to_frame()
    try:
        table = pl.read_csv(path, infer_schema=False, separator=_separator(path))
        missing = [column for column in schema if column not in table.columns]
        if missing:
            raise DataError(f"{path}: missing columns {missing}; has {table.columns}; needs {list(schema)}")
        return table.select(list(schema)).cast(dict(schema))  # type: ignore[arg-type]
    except pl.exceptions.NoDataError:
        return schema.to_frame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: {error}".splitlines()[0] + "; expected CSV as `turnabout label` writes it") from error


def _separator(path: Path) -> str:
    """What stands between the names of the columns."""
    with path.open("rb") as file:
        header = file.readline()
    return max((b",", b";", b"\t"), key=header.count).decode()


def read_labels(path: Path) -> pl.DataFrame:
    """What people said so far (`schemas.LABELS`). Raises `DataError` naming every line that cannot be a judgement."""
    rows = read_table(path, schemas.LABELS).with_row_index("line", offset=2)
    nobody = [f"line {line}: annotator is missing" for line in rows.filter(pl.col("annotator").is_null())["line"]]
    _refuse(path, [*_wrong_words(rows), *nobody])
    return rows.select(list(schemas.LABELS))


def trainable(labels: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The labels of train and validation conversations: nothing may be fitted to what somebody in the test set said."""
    known = splits.filter(pl.col("split").is_in(["train", "validation"]))
    return labels.join(known, on="conversation_id", how="semi", maintain_order="left")


def unread(path: Path, labels: pl.DataFrame) -> int:
    """How many judgements stand in the table to fill in at `path` that are not among the labels."""
    filled = read_table(path, schemas.LABELS).drop_nulls("label")
    return filled.join(labels, on=[*EXCHANGE, "annotator"], how="anti").height


def read_judgements(path: Path, sample: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """What somebody filled in (`schemas.LABELS`), a row without a label left out; `annotator` where a row names none.

    Raises `DataError` naming every line with a label, category or exchange that cannot be.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file; give the CSV that the page's Export saved, or labels/to_label.csv")
    rows = read_table(path, schemas.LABELS).with_row_index("line", offset=2)
    rows = rows.with_columns(pl.col("label", "category", "annotator").str.strip_chars().replace("", None))
    given = rows.drop_nulls("label").with_columns(pl.col("annotator").fill_null(annotator))
    _refuse(path, [*_wrong_words(given), *_unknown_exchanges(given, sample)])
    return given.unique([*EXCHANGE, "annotator"], keep="last", maintain_order=True).select(list(schemas.LABELS))


def merged(labels: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Old and new labels, sorted; who judged an exchange again has changed their mind."""
    judgement = [*EXCHANGE, "annotator"]
    return pl.concat([labels, new]).unique(judgement, keep="last", maintain_order=True).sort(judgement)


def _refuse(path: Path, faults: list[str]) -> None:
    if faults:
        told = "\n  ".join(faults[:20] + ([f"and {len(faults) - 20} more"] if len(faults) > 20 else []))
        raise DataError(f"{path}: nothing was read; mend these lines and read it again:\n  {told}")


def _wrong_words(given: pl.DataFrame) -> list[str]:
    faults = []
    for line, label, category in given.select("line", "label", "category").iter_rows():
        if label not in CATEGORIES:
            faults.append(f"line {line}: label '{label}' is not one of {sorted(CATEGORIES)}")
        elif category is not None and category not in CATEGORIES[label]:
            allowed = f"one of {CATEGORIES[label]}, or empty" if CATEGORIES[label] else "empty"
            faults.append(f"line {line}: category '{category}' of label '{label}' must be {allowed}")
    return faults


def _unknown_exchanges(given: pl.DataFrame, sample: pl.DataFrame) -> list[str]:
    strange = given.join(sample, on=EXCHANGE, how="anti").select("line", *EXCHANGE)
    return [
        f"line {line}: exchange {conversation} / {reply} was never drawn; see labels/{SAMPLE}"
        for line, conversation, reply in strange.iter_rows()
    ]
