"""Files of any format told by their records: each file is read as the format that recognises most of its first ones.

    sources:
      - {format: auto, path: logs}

reads a folder with an export of Open WebUI, a day of logged API calls and a copy of WildChat, each as what it is; the
column `source` says as what. A file that no format recognises is quarantined record by record, with its keys.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from turnabout.sources.base import Batch, Piece
from turnabout.sources.detection import formats, formats_of
from turnabout.sources.files import FileSource
from turnabout.sources.reading.records import records
from turnabout.sources.table.conversation import LoggedConversation

#: Records of a file that are looked at.
FIRST = 50


class Auto(FileSource):
    """Files of formats that need to be told nothing but a path."""

    format: Literal["auto"] = "auto"

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """One file, read as the format that it is of."""
        assert piece.path is not None
        found = format_of(piece.path)
        if found is None:
            return super().batches(piece)
        return formats()[found].model_validate({"format": found, "path": str(piece.path)}).batches(piece)

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """None: this is a record of a file that no format recognises."""
        raise ValueError("record: of a file that no format recognises")


def format_of(path: Path) -> str | None:
    """The format that recognises most of the first records of a file, the first by name of several; null where none."""
    first = (record.content for record in islice(records(path), FIRST) if record.fault is None)
    votes = Counter(name for content in first for name in formats_of(content))
    return min(votes, key=lambda name: (-votes[name], name), default=None)
