"""Stage: logs of any known format in, one table of messages out.

Records that cannot be read go to quarantine.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout.core import schemas
from turnabout.core.forgetting import read_forgotten_people
from turnabout.core.incremental import LEDGER, IncrementalBuild, build_key, hash_file, open_build
from turnabout.core.io import write_json
from turnabout.errors import ConfigError, DataError
from turnabout.params import load_params
from turnabout.sources.base import Piece, Source
from turnabout.sources.detection import suggest_format
from turnabout.sources.ingest_filter import IngestFilter

#: Code and packages that shape the tables besides logs and settings; the code is among the stage's dependencies.
CODE = ("stages/ingest.py", "src/turnabout/core", "src/turnabout/sources", "src/turnabout/text")
PACKAGES = ("polars", "pyarrow", "msgspec", "zstandard", "python-iso639")

#: Greatest number of reasons that a warning or error shows.
MAX_SHOWN_REASONS = 10

#: Greatest number of reasons that are counted separately in the metrics.
MAX_COUNTED_REASONS = 100

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
    check_watched(sources, watch)
    forgotten_people = read_forgotten_people(forgotten)
    pieces: list[tuple[Source, Piece]] = []
    for source in sources:
        pieces += [(source, piece) for piece in source.list_pieces()]
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
    write_json(build.sum_counts("totals") | by_kind, metrics)


def check_watched(sources: Iterable[Source], watch: Path) -> None:
    """Raise `ConfigError` for a source outside `watch`.

    DVC notices new logs only there.
    """
    for source in sources:
        for path in source.list_inputs():
            if not Path(path).resolve().is_relative_to(watch.resolve()):
                raise ConfigError(
                    f"ingest.sources: {source.format} reads '{path}', which is not inside ingest.watch '{watch}'; DVC "
                    f"watches only that, so new logs would go unnoticed: move the logs there or set ingest.watch to "
                    f"a folder that holds them"
                )


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

    Prints a warning for a piece with more rejects than conversations.
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
            reasons.append(sum_reasons(reasons_of_piece))
            if reasons[-1]["n"].sum() > n_read:
                print(f"warning: {piece.name}: {describe_rejects(n_read, reasons[-1])}", file=sys.stderr)
    if not build.tables["ingested"].n_rows:
        raise DataError(describe_rejects(0, sum_reasons(reasons)))


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
