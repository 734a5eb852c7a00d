"""A table as MLflow's dataset input, described by what DVC and the files' footers know: its rows are not read."""

import json
import warnings
from pathlib import Path

import mlflow
import polars as pl
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from turnabout.core.io import part_files

# MLflow registers its one source for local files under two schemes and warns that it has to choose.
warnings.filterwarnings("ignore", message="The specified dataset source can be interpreted", category=UserWarning)


class Table(MetaDataset):
    """A Parquet table, a file or a folder of parts, with DVC's MD5 as its digest."""

    def __init__(self, file: Path, path: str, md5: str) -> None:
        scan = pl.scan_parquet(part_files(file))
        self._rows = int(scan.select(pl.len()).collect().item())
        columns: list[ColSpec | TensorSpec] = [
            ColSpec(_type(dtype), name) for name, dtype in scan.collect_schema().items()
        ]
        super().__init__(resolve_dataset_source(path), name=path, digest=md5, schema=Schema(columns))

    @property
    def profile(self) -> dict[str, int]:
        """The number of rows."""
        return {"num_rows": self._rows}

    def to_dict(self) -> dict[str, str]:
        """MLflow's description of the table, profile included."""
        return {**super().to_dict(), "profile": json.dumps(self.profile)}


def is_table(place: Path) -> bool:
    """Whether a Parquet file or a folder of parts is there."""
    return place.suffix == ".parquet" or any(place.glob("part-*.parquet"))


def log_table(file: Path, path: str, md5: str) -> None:
    """Log the table at `file` (named `path` in the project) to the active run."""
    mlflow.log_input(Table(file, path, md5), context="input", tags={"dvc_md5": md5})


def _type(dtype: pl.DataType) -> DataType:
    """MLflow's nearest type; lists and structs count as text."""
    if dtype.is_integer():
        return DataType.long
    if dtype.is_float():
        return DataType.double
    if dtype.is_temporal():
        return DataType.datetime
    return DataType.boolean if dtype == pl.Boolean else DataType.string
