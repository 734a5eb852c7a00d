"""A dataset of the Hugging Face Hub, streamed: nothing is downloaded whole, and its rows are read as another format's.

The entry of `params.yaml`

    {format: hub, dataset: "hf://datasets/allenai/WildChat-1M@COMMIT", rows: wildchat}

gives what `{format: wildchat, path: …}` would of a downloaded copy, with `source` wildchat. COMMIT, 40 hexadecimal
digits, is part of the address, because a branch moves: the same address must give the same conversations tomorrow.
Files may follow it, as in `hf://datasets/OWNER/NAME@COMMIT/data/train-*.parquet`. A `dataset` without `hf://` is a
folder with a copy of a dataset's repository. For a gated dataset accept its terms on its page and set the environment
variable `HF_TOKEN`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from turnabout.errors import DataError
from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.files import FileSource, batched
from turnabout.sources.reading.records import Record

ADDRESS = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)@(?P<commit>[0-9a-f]{40})(?:/(?P<files>.+))?")


class Hub(Source):
    """Rows of one split of a dataset."""

    format: Literal["hub"] = "hub"
    dataset: str
    """`hf://datasets/OWNER/NAME@COMMIT`, then `/FILES` (a glob) to read some files alone; or a folder with a copy."""
    rows: str
    """The format of its rows, such as `wildchat`."""
    config: str | None = None
    """The dataset's configuration ("subset" on its page); null for its default."""
    split: str = "train"

    @field_validator("dataset")
    @classmethod
    def _names_a_commit(cls, dataset: str) -> str:
        if dataset.startswith("hf://") and not ADDRESS.fullmatch(dataset):
            raise ValueError(
                f"'{dataset}' is not of the form hf://datasets/OWNER/NAME@COMMIT[/FILES]; COMMIT is the 40 digits told "
                "under 'Files and versions', 'History' on the dataset's page"
            )
        return dataset

    @field_validator("rows")
    @classmethod
    def _can_be_read_as_they_come(cls, rows: str) -> str:
        from turnabout.sources import SOURCES  # this table holds this class

        allowed = sorted(
            name
            for name, source in SOURCES.items()
            if issubclass(source, FileSource) and source.batches is FileSource.batches  # others read a file repeatedly
        )
        if rows not in allowed:
            raise ValueError(f"'{rows}' is not one of {allowed}")
        return rows

    def pieces(self) -> list[Piece]:
        """The whole split."""
        return [Piece(self.name, None)]

    @property
    def name(self) -> str:
        """Dataset, commit, configuration and split: another of any of them is another piece."""
        if address := ADDRESS.fullmatch(self.dataset):
            dataset = f"{address['name'].replace('/', '--')}@{address['commit'][:12]}"
        else:
            dataset = Path(self.dataset).name
        return ":".join(filter(None, [dataset, self.config, self.split]))

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """The split in bounded batches. Raises `DataError` where the Hub fails, at the start or on the way."""
        return batched(self.reader().judged(self.records()), self.rows)

    def inputs(self) -> list[str]:
        """The folder; nothing for an address, whose commit never changes."""
        return [] if ADDRESS.fullmatch(self.dataset) else [self.dataset]

    def reader(self) -> FileSource:
        """The source that knows what a row means."""
        from turnabout.sources import SOURCES

        source = SOURCES[self.rows].model_validate({"format": self.rows, "path": self.dataset})
        assert isinstance(source, FileSource)
        return source

    def records(self) -> Iterator[Record]:
        """The rows as they come."""
        for number, row in enumerate(self._stream(), start=1):
            yield Record(f"{self.name}:row {number}", row, None, "")

    def _stream(self) -> Iterator[dict[str, Any]]:
        from datasets import load_dataset

        address = ADDRESS.fullmatch(self.dataset)
        try:
            yield from load_dataset(
                address["name"] if address else self.dataset,
                self.config,
                split=self.split,
                revision=address["commit"] if address else None,
                data_files=address["files"] if address else None,
                streaming=True,
            )
        except Exception as error:  # only the Hub's code runs in here, and a shorter log must not pass for a whole one
            told = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(
                f"ingest.sources: '{self.dataset}' (config {self.config}, split {self.split}) cannot be read: {told}; "
                "check name, commit, config and split, the network, and for a gated dataset its terms and HF_TOKEN"
            ) from error
