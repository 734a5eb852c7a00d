"""Tables as MLflow's dataset inputs.

They are described by DVC's hash and the Parquet footers, without reading rows.
"""

import json
import warnings
from pathlib import Path

import mlflow
import polars as pl
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from turnabout.core.io import list_part_files

# MLflow registers its source for local files under two schemes and warns that it has to choose.
warnings.filterwarnings("ignore", message="The specified dataset source can be interpreted", category=UserWarning)


class TableDataset(MetaDataset):
    """A Parquet table, with DVC's MD5 as its digest.

    It is a file or a folder of parts.
    """

    def __init__(self, file: Path, path: str, md5: str) -> None:
        scan = pl.scan_parquet(list_part_files(file))
        self._rows = int(scan.select(pl.len()).collect().item())
        columns: list[ColSpec | TensorSpec] = [
            ColSpec(_to_mlflow_type(dtype), name) for name, dtype in scan.collect_schema().items()
        ]
        super().__init__(resolve_dataset_source(path), name=path, digest=md5, schema=Schema(columns))

    @property
    def profile(self) -> dict[str, int]:
        """The number of rows."""
        return {"num_rows": self._rows}

    def to_dict(self) -> dict[str, str]:
        """Return MLflow's description of the table with its profile."""
        return {**super().to_dict(), "profile": json.dumps(self.profile)}


def is_table(path: Path) -> bool:
    """Return whether `path` is a Parquet file or a folder of parts."""
    return path.suffix == ".parquet" or any(path.glob("part-*.parquet"))


def log_table(file: Path, path: str, md5: str) -> None:
    """Log the table at `file` (named `path` in the project) to the active run."""
    mlflow.log_input(TableDataset(file, path, md5), context="input", tags={"dvc_md5": md5})


def _to_mlflow_type(dtype: pl.DataType) -> DataType:
    """Return MLflow's nearest type; lists and structs become strings."""
    if dtype.is_integer():
        return DataType.long
    if dtype.is_float():
        return DataType.double
    if dtype.is_temporal():
        return DataType.datetime
    return DataType.boolean if dtype == pl.Boolean else DataType.string
