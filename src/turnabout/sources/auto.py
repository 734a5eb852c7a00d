"""Files of any format, detected by the first records of each file.

    sources:
      - {format: auto, path: logs}

reads a folder with an export of Open WebUI, a day of logged API calls and a copy of WildChat, each in its own format;
the column `source` names the format. A file that no format recognises is quarantined record by record, with the keys
of each record.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from turnabout.sources.base import Piece
from turnabout.sources.detection import RECORD_FORMATS, detect_format
from turnabout.sources.files import FileSource
from turnabout.sources.reading.records import read_records
from turnabout.sources.table.batches import Batch, SuggestFormat
from turnabout.sources.table.conversation import LoggedConversation

#: Number of records of a file that its format is detected by.
N_FIRST_RECORDS = 50


class Auto(FileSource):
    """Files whose format needs no setting but a path."""

    format: Literal["auto"] = "auto"

    def read_batches(self, piece: Piece, suggest_format: SuggestFormat | None = None) -> Iterator[Batch]:
        """Yield one file in batches, read as the format that it is detected to be."""
        assert piece.path is not None
        name = detect_file_format(piece.path)
        if name is None:
            return super().read_batches(piece, suggest_format)
        source = RECORD_FORMATS[name].model_validate({"format": name, "path": str(piece.path)})
        return source.read_batches(piece, suggest_format)

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Raise `ValueError`: only files that no format recognises get here."""
        raise ValueError("record: of a file that no format recognises")


def detect_file_format(path: Path) -> str | None:
    """Return the format of most of the first records of a file.

    Of several such formats it is the one that comes first in the file; null where no format recognises any record.
    """
    votes: Counter[str] = Counter()
    for record in islice(read_records(path), N_FIRST_RECORDS):
        name = detect_format(record.content) if record.error is None else None
        if name is not None:
            votes[name] += 1
    return max(votes, key=votes.__getitem__, default=None)
