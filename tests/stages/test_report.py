import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from stages import clean, split
from stages.report import main
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.errors import DataError

ARMS = ["drift", "follow_up"]  # as in params.yaml

TABLES = {
    "ingest_quarantine": schemas.QUARANTINE,
    "clean_quarantine": schemas.QUARANTINE,
    "messages/part-00": schemas.MESSAGES,
    "splits": schemas.SPLITS,
    "feedback": schemas.FEEDBACK,
    "intents": schemas.INTENTS,
    "critiques": schemas.CRITIQUES,
    "rationales": schemas.RATIONALES,
    **{f"pairs/{arm}": schemas.PAIRS for arm in ARMS},
    **{f"rollouts/{name}": schemas.ROLLOUTS for name in ["untrained", *ARMS]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the results of an empty log.

    They are empty tables, few metrics and a plot without points.
    """
    for name, schema in TABLES.items():
        write_frame(schema.to_frame(), tmp_path / "data" / f"{name}.parquet", schema)
    write_json({"n_conversations": 12, "n_rejected": 4}, tmp_path / "metrics" / "ingest.json")
    plots = tmp_path / "plots"
    plots.mkdir()
    (plots / "train_user.csv").write_text("step,loss,learning_rate,tokens\n")
    return tmp_path


def render(folder: Path) -> str:
    main(folder / "data", folder / "metrics", folder / "plots", folder / "report" / "index.html")
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_report_is_written_for_an_empty_run(folder: Path) -> None:
    page = render(folder)

    assert '<td class="n">16</td>' in page  # 12 conversations and 4 rejected records were read
    assert all(f"Pairs of arm {arm}</h3>" in page for arm in ARMS)


def test_report_draws_a_curve_from_its_file(folder: Path) -> None:
    pl.DataFrame({"step": [1, 2], "loss": [3.0, 2.5], "learning_rate": [1e-4, 1e-4], "tokens": [90, 180]}).write_csv(
        folder / "plots" / "train_user.csv"
    )

    assert "Training loss from 3.00 to 2.50 in 2 steps" in render(folder)


def test_report_names_a_missing_table(folder: Path) -> None:
    (folder / "data" / "pairs" / "drift.parquet").unlink()

    with pytest.raises(DataError, match=r"drift\.parquet: no such table"):
        render(folder)


def test_report_shows_what_cleaning_and_splitting_wrote(folder: Path, messages: Callable[..., pl.DataFrame]) -> None:
    log = pl.concat(
        [
            messages(name, f"hi, I am {name}@b.org", "yo", f"{name} is well", "fine", user=name)
            for name in ("ann", "bob")
        ]
    )
    data, metrics = folder / "data", folder / "metrics"
    write_frame(log, data / "ingested.parquet", schemas.MESSAGES)
    clean.main(
        data / "ingested.parquet",
        folder / "evaluation_sets",
        messages=data / "messages",
        quarantine=data / "clean_quarantine.parquet",
        ledger=data / "ledgers",
        metrics=metrics / "clean.json",
    )
    split.main(data / "messages", data / "splits.parquet", metrics / "split.json")
    page = render(folder)
    people = read_frame(data / "splits.parquet", schemas.SPLITS)["split"].value_counts()

    assert "2 × email" in page
    for name, n in people.iter_rows():
        assert re.search(rf'<tr><th>{name}</th><td>[^<]*</td><td class="n">{n}</td><td class="n">{n}</td>', page)
