"""A dataset of the Hugging Face Hub, streamed.

Nothing is downloaded whole, and rows are read as those of another format. The entry of `params.yaml`

    {format: hub, dataset: "hf://datasets/allenai/WildChat-1M@COMMIT", rows: wildchat}

gives the same messages as `{format: wildchat, path: …}` for a downloaded copy, with `source` wildchat. COMMIT, 40
hexadecimal digits, is part of the address, because a branch moves: the same address must give the same conversations
tomorrow. Files may follow it, as in `hf://datasets/OWNER/NAME@COMMIT/data/train-*.parquet`. A `dataset` without
`hf://` is a folder with a copy of a dataset's repository. For a gated dataset accept its terms on its page and set the
environment variable `HF_TOKEN`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from turnabout.errors import DataError
from turnabout.sources.base import Piece, Source
from turnabout.sources.detection import RECORD_FORMATS
from turnabout.sources.files import FileSource
from turnabout.sources.reading.records import Record
from turnabout.sources.table.batches import Batch, SuggestFormat, collect_batches
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject

ADDRESS = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)@(?P<commit>[0-9a-f]{40})(?:/(?P<files>.+))?")


class Hub(Source):
    """Rows of one split of a dataset."""

    format: Literal["hub"] = "hub"
    dataset: str
    """`hf://datasets/OWNER/NAME@COMMIT`, then `/FILES` (a glob) to read only some files; or a folder with a copy."""
    rows: str
    """The format of its rows, such as `wildchat`."""
    config: str | None = None
    """The dataset's configuration ("subset" on its page); null for its default."""
    split: str = "train"

    @field_validator("dataset")
    @classmethod
    def _check_commit(cls, dataset: str) -> str:
        if dataset.startswith("hf://") and not ADDRESS.fullmatch(dataset):
            raise ValueError(
                f"'{dataset}' is not of the form hf://datasets/OWNER/NAME@COMMIT[/FILES]; COMMIT is the 40 digits "
                "shown under 'Files and versions', 'History' on the dataset's page"
            )
        return dataset

    @field_validator("rows")
    @classmethod
    def _check_rows(cls, rows: str) -> str:
        allowed = [name for name, source in RECORD_FORMATS.items() if _can_be_streamed(source)]
        if rows not in allowed:
            raise ValueError(f"'{rows}' is not one of {allowed}")
        return rows

    def list_pieces(self) -> list[Piece]:
        """Return the whole split as one piece."""
        return [Piece(self.name, None)]

    @property
    def name(self) -> str:
        """Dataset, commit, configuration and split.

        Another value of any of them is another piece.
        """
        if address := ADDRESS.fullmatch(self.dataset):
            dataset = f"{address['name'].replace('/', '--')}@{address['commit'][:12]}"
        else:
            dataset = Path(self.dataset).name
        return ":".join(filter(None, [dataset, self.config, self.split]))

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of the split.

        Raises `DataError` where the Hub fails, at the start or later.
        """
        reader = RECORD_FORMATS[self.rows].model_validate({"format": self.rows, "path": self.dataset})
        assert isinstance(reader, FileSource)
        return reader.parse_records(self.read_rows())

    def read_batches(self, piece: Piece, suggest_format: SuggestFormat | None = None) -> Iterator[Batch]:
        """Yield the split in bounded batches.

        Their `source` is the format of the rows.
        """
        return collect_batches(self.read_piece(piece), self.rows, suggest_format)

    def list_inputs(self) -> list[str]:
        """Return the folder; nothing for an address, whose commit never changes."""
        return [] if ADDRESS.fullmatch(self.dataset) else [self.dataset]

    def read_rows(self) -> Iterator[Record]:
        """Yield the rows as records."""
        for number, row in enumerate(self._stream_rows(), start=1):
            yield Record(f"{self.name}:row {number}", row, None, "")

    def _stream_rows(self) -> Iterator[dict[str, Any]]:
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
        except Exception as error:  # only the Hub's code runs here, and a part of a log must not pass for the whole
            message = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(
                f"ingest.sources: '{self.dataset}' (config {self.config}, split {self.split}) cannot be read: {message}"
                "; check name, commit, config and split, the network, and for a gated dataset its terms and HF_TOKEN"
            ) from error


def _can_be_streamed(source: type[Source]) -> bool:
    """Return whether each record of a format is read once, in order.

    The other formats read a file several times.
    """
    return issubclass(source, FileSource) and source.read_piece is FileSource.read_piece
