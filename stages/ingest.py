"""Stage: logs of any known format in, one table of messages out.

Records that cannot be read go to quarantine.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout.core import schemas
from turnabout.core.forgetting import is_swept, read_forgotten_people
from turnabout.core.incremental import LEDGER, IncrementalBuild, UnitRecord, build_key, hash_file, open_build
from turnabout.core.io import write_json
from turnabout.core.stage_output import print_warning
from turnabout.errors import DataError
from turnabout.params import load_params
from turnabout.sources.base import Piece, Source, list_all_pieces
from turnabout.sources.detection import suggest_format
from turnabout.sources.ingest_filter import IngestFilter

#: Code and packages that shape the tables besides logs and settings; the code is among the stage's dependencies.
CODE = ("stages/ingest.py", "src/turnabout/core", "src/turnabout/sources", "src/turnabout/text")
PACKAGES = ("polars", "pyarrow", "msgspec", "zstandard", "python-iso639")

#: Greatest number of reasons that a warning or error shows.
MAX_SHOWN_REASONS = 10

#: Greatest number of reasons that are counted separately in the metrics.
MAX_COUNTED_REASONS = 100

#: Greatest number of files that the metrics name.
MAX_LISTED_FILES = 50

#: Warning where forgotten.txt names people about whom older runs may have kept data. The flow erases it at its end.
UNSWEPT = "forgotten.txt has new people: run `turnabout run` once to erase what older runs kept of them"

ROOT = Path(__file__).parents[1]


def main(
    watch: Path,
    forgotten: Path,
    *,
    ingested: Path,
    quarantine: Path,
    ledger: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Read the new pieces of every source of `ingest.sources`.

    Raises `DataError` where no conversation at all could be read.
    """
    sources = load_params(params).ingest.sources
    pieces = list_all_pieces(sources, watch)
    forgotten_people = read_forgotten_people(forgotten)
    if "TURNABOUT_FLOW" not in os.environ and not is_swept(forgotten.parent, forgotten_people):
        print_warning(UNSWEPT)
    cached_hash = cache(hash_file)  # files of scores belong to every piece of their source
    units = [fingerprint_piece(source, piece, cached_hash) for source, piece in pieces]
    key = build_key(" ".join(sorted(forgotten_people)), (ROOT / path for path in CODE), PACKAGES)
    tables = {"ingested": (ingested, schemas.MESSAGES), "quarantine": (quarantine, schemas.QUARANTINE)}
    with open_build(ledger / LEDGER, key, units, tables) as build:
        read_new_pieces(build, pieces, units, forgotten_people)
    by_kind = {
        "rejected_by_reason": merge_rare_reasons(build.sum_counts("rejected_by_reason")),
        "conversations_by_source": build.sum_counts("conversations_by_source"),
    }
    ingest_warnings = describe_unread_feedback(sources, pieces, build.marks)
    for warning in ingest_warnings:
        print_warning(warning)
    described = {"files": summarize_files(pieces, build.marks), "warnings": ingest_warnings}
    write_json(build.sum_counts("totals") | by_kind | described, metrics)


def fingerprint_piece(source: Source, piece: Piece, hash_of_file: Callable[[Path], str]) -> str | None:
    """Return the fingerprint of a piece as its source reads it.

    It is None for a piece that is no file: whether it changed is only known by reading it again.
    """
    if piece.path is None:
        return None
    hashes = map(hash_of_file, (piece.path, *piece.further_files))
    return " ".join([source.model_dump_json(), piece.name, *hashes])


def read_new_pieces(
    build: IncrementalBuild,
    pieces: Sequence[tuple[Source, Piece]],
    units: Sequence[str | None],
    forgotten: frozenset[str],
) -> None:
    """Add all pieces that were not kept from the last run.

    Prints what each file of a source `auto` was read as, and a warning for an empty piece and for one with more rejects
    than conversations.
    """
    known_ids = build.kept_rows("ingested").filter(message_index=0).select("conversation_id")
    ingest_filter = IngestFilter(forgotten, known_ids.collect(engine="streaming").to_series())
    reasons = [count_reasons(build.kept_rows("quarantine").collect(engine="streaming"))]
    start, n_before = time.monotonic(), build.tables["ingested"].n_rows
    with tqdm(total=len(pieces), initial=build.n_kept, desc="ingest", unit="piece", disable=None) as bar:
        for (source, piece), unit in list(zip(pieces, units, strict=True))[build.n_kept :]:
            n_read, reasons_of_piece = 0, []
            for batch in source.read_batches(piece, suggest_format):
                filtered = ingest_filter.filter_batch(batch)
                build.add_rows(filtered.count_by_kind(), ingested=filtered.messages, quarantine=filtered.quarantine)
                n_read += filtered.messages.filter(message_index=0).height + filtered.n_forgotten
                reasons_of_piece.append(count_reasons(filtered.quarantine))
                n_messages = build.tables["ingested"].n_rows - n_before
                bar.set_postfix_str(f"{n_messages / (time.monotonic() - start):,.0f} messages/s")
            build.finish_unit(unit)
            bar.update()
            if not any(build.marks[-1].counts["totals"].values()):
                print_warning(f"{name_piece(piece)}: empty, nothing was read")
            elif source.format == "auto":
                tqdm.write(describe_piece(piece, build.marks[-1]))
            reasons.append(sum_reasons(reasons_of_piece))
            if reasons[-1]["n"].sum() > n_read:
                print_warning(f"{name_piece(piece)}: {describe_rejects(n_read, reasons[-1])}")
    if not build.tables["ingested"].n_rows:
        raise DataError(describe_rejects(0, sum_reasons(reasons)))


def name_piece(piece: Piece) -> str:
    """Return the path of a piece below the project.

    Of a piece that is no file, or lies elsewhere, return its name.
    """
    return piece.name if piece.path is None or piece.path.is_absolute() else str(piece.path)


def find_format(record: UnitRecord) -> str | None:
    """Return the format that a piece was read as; null for an empty piece.

    It is a key of `SOURCES`, and `auto` for a file that no format recognises.
    """
    counts = record.counts
    return next(iter({**counts.get("conversations_by_source", {}), **counts.get("rejected_by_source", {})}), None)


def describe_piece(piece: Piece, record: UnitRecord) -> str:
    """Return the line on what a file was read as."""
    name, totals = find_format(record), record.counts["totals"]
    read_as = "no known format" if name == "auto" else name
    counts = f"{totals['n_conversations']} conversations, {totals['n_rejected']} records rejected"
    return f"{name_piece(piece)}: {read_as}, {counts}"


def summarize_files(
    pieces: Iterable[tuple[Source, Piece]], records: Iterable[UnitRecord]
) -> list[dict[str, str | int | None]]:
    """Return what each piece was read as, with its counts, in order of arrival.

    Of more than `MAX_LISTED_FILES` pieces, those with the most rejected records are returned.
    """
    files: list[dict[str, str | int | None]] = []
    n_rejected: list[int] = []
    for (_, piece), record in zip(pieces, records, strict=True):
        totals = record.counts["totals"]
        counts = {name: totals[f"n_{name}"] for name in ("conversations", "messages", "rejected")}
        files.append({"file": name_piece(piece), "format": find_format(record), **counts})
        n_rejected.append(counts["rejected"])
    by_rejected = sorted(range(len(files)), key=lambda index: -n_rejected[index])
    return [files[index] for index in sorted(by_rejected[:MAX_LISTED_FILES])]


def describe_unread_feedback(
    sources: Iterable[Source], pieces: Sequence[tuple[Source, Piece]], records: Sequence[UnitRecord]
) -> list[str]:
    """Return a warning for each source with feedback that no column takes.

    It names the feedback and the number of conversations that have it.
    """
    described = []
    for source in sources:
        names, unread = [], Counter[str]()
        for (owner, piece), record in zip(pieces, records, strict=True):
            if owner is source and record.counts.get("unread_feedback"):
                unread.update(record.counts["unread_feedback"])
                names.append(name_piece(piece))
        if unread:
            name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
            have = ", ".join(f"{n} conversations have '{key}'" for key, n in sorted(unread.items()))
            described.append(f"{name}: {have}, which no column takes (see docs/sources.md, Feedback)")
    return described


def merge_rare_reasons(n_by_reason: Mapping[str, int]) -> dict[str, int]:
    """Return the greatest counts in order of name, then the sum of all others.

    A reason may quote the record, so the number of different reasons has no limit.
    """
    by_count = sorted(n_by_reason, key=lambda reason: (-n_by_reason[reason], reason))
    frequent = {reason: n_by_reason[reason] for reason in sorted(by_count[:MAX_COUNTED_REASONS])}
    n_other = sum(n_by_reason.values()) - sum(frequent.values())
    return frequent | ({"other reasons": n_other} if n_other else {})


def count_reasons(rejected: pl.DataFrame) -> pl.DataFrame:
    """Return each reason with its number of records `n` and its first `record`."""
    return rejected.group_by("reason", maintain_order=True).agg(n=pl.len(), record=pl.col("record").first())


def sum_reasons(reasons: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return several tables of `count_reasons` as one, in order of reason."""
    return pl.concat(reasons).group_by("reason").agg(pl.col("n").sum(), pl.col("record").first()).sort("reason")


def describe_rejects(n_read: int, reasons: pl.DataFrame) -> str:
    """Return a message on how few conversations could be read, and why.

    It gives an example of each of the most frequent reasons.
    """
    read = f"only {n_read} conversations could be read" if n_read else "no conversation could be read"
    if reasons.is_empty():
        return f"{read}: every log is empty; add logs at a path of ingest.sources"
    shown = reasons.sort("n", "reason", descending=[True, False]).head(MAX_SHOWN_REASONS)
    examples = "".join(f"\n  {n} × {reason} (first: {record})" for reason, n, record in shown.iter_rows())
    further = f"\n  and {reasons.height - shown.height} other reasons" if reasons.height > shown.height else ""
    n_rejected = reasons["n"].sum()
    return f"{read}; {n_rejected} records were rejected, correct the logs or ingest.sources:{examples}{further}"


if __name__ == "__main__":
    command(main)
