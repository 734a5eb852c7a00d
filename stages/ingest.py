"""Stage: logs of any known format in, one table of messages out; what cannot be read goes to quarantine."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout.core import schemas
from turnabout.core.forgetting import forgotten_people
from turnabout.core.incremental import LEDGER, Growth, growing, key_of, sha256
from turnabout.core.io import write_json
from turnabout.errors import ConfigError, DataError
from turnabout.params import load_params
from turnabout.sources.base import Piece, Source
from turnabout.sources.ingest_filter import Arrivals

#: What shapes the tables besides logs and settings: the code among the stage's dependencies, and packages.
CODE = ("stages/ingest.py", "src/turnabout/core", "src/turnabout/sources", "src/turnabout/text")
PACKAGES = ("polars", "pyarrow", "msgspec", "zstandard", "python-iso639")

#: At most this many reasons are told of a log that could hardly be read.
MOST_REASONS = 10

#: At most this many reasons are counted one by one in the metrics.
MOST_COUNTED = 100

ROOT = Path(__file__).parents[1]


def main(
    watch: Path,
    forgotten: Path,
    ingested: Path,
    quarantine: Path,
    ledger: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Read what is new in every source of `ingest.sources`; `DataError` where not one conversation could be read."""
    sources = load_params(params).ingest.sources
    refuse_unwatched(sources, watch)
    people = forgotten_people(forgotten)
    pieces = [(source, piece) for source in sources for piece in source.pieces()]
    digest = cache(sha256)  # files of scores belong to every piece of their source
    units = [unit_of(source, piece, digest) for source, piece in pieces]
    key = key_of(" ".join(sorted(people)), (ROOT / place for place in CODE), PACKAGES)
    tables = {"ingested": (ingested, schemas.MESSAGES), "quarantine": (quarantine, schemas.QUARANTINE)}
    with growing(ledger / LEDGER, key, units, tables) as growth:
        read_new(growth, pieces, units, people)
    rejected = most_frequent(growth.tally("rejected_by_reason"))
    by = {"rejected_by_reason": rejected, "conversations_by_source": growth.tally("conversations_by_source")}
    write_json(growth.tally("totals") | by, metrics)


def refuse_unwatched(sources: Iterable[Source], watch: Path) -> None:
    """Raise `ConfigError` for a source outside `watch`, the one place where DVC would notice new logs."""
    for source in sources:
        for place in source.inputs():
            if not Path(place).resolve().is_relative_to(watch.resolve()):
                raise ConfigError(
                    f"ingest.sources: {source.format} reads '{place}', which is not inside ingest.watch '{watch}'; DVC "
                    f"watches only that, so new logs would go unnoticed: move the logs there or set ingest.watch to "
                    f"a folder that holds them"
                )


def unit_of(source: Source, piece: Piece, digest: Callable[[Path], str]) -> str | None:
    """The fingerprint of a piece as this source reads it; None where only reading it again can tell."""
    if piece.path is None:
        return None
    return " ".join([source.model_dump_json(), piece.name, *map(digest, (piece.path, *piece.beside))])


def read_new(
    growth: Growth, pieces: Sequence[tuple[Source, Piece]], units: Sequence[str | None], people: frozenset[str]
) -> None:
    """Add all pieces that were not kept; warns of a piece most of which is rejected."""
    ids = growth.kept("ingested").filter(message_index=0).select("conversation_id")
    arrivals = Arrivals(people, ids.collect(engine="streaming").to_series())
    why = [reasons(growth.kept("quarantine").collect(engine="streaming"))]
    began, n_before = time.monotonic(), growth.tables["ingested"].n_rows
    with tqdm(total=len(pieces), initial=growth.n_kept, desc="ingest", unit="piece", disable=None) as bar:
        for (source, piece), unit in list(zip(pieces, units, strict=True))[growth.n_kept :]:
            n_read, why_here = 0, []
            for batch in source.batches(piece):
                arrived = arrivals.accept(batch)
                growth.add(arrived.tallies(), ingested=arrived.messages, quarantine=arrived.quarantine)
                n_read += arrived.messages.filter(message_index=0).height + arrived.n_forgotten
                why_here.append(reasons(arrived.quarantine))
                n_messages = growth.tables["ingested"].n_rows - n_before
                bar.set_postfix_str(f"{n_messages / (time.monotonic() - began):,.0f} messages/s")
            growth.mark(unit)
            bar.update()
            why.append(added_up(why_here))
            if why[-1]["n"].sum() > n_read:
                print(f"warning: {piece.name}: {told(n_read, why[-1])}", file=sys.stderr)
    if not growth.tables["ingested"].n_rows:
        raise DataError(told(0, added_up(why)))


def most_frequent(n_by_reason: Mapping[str, int]) -> dict[str, int]:
    """The greatest counts in order of name, then all others as one: a reason may quote what came, so there may be any
    number of them."""
    most = sorted(n_by_reason, key=lambda reason: (-n_by_reason[reason], reason))[:MOST_COUNTED]
    n_others = sum(n_by_reason.values()) - sum(n_by_reason[reason] for reason in most)
    return {reason: n_by_reason[reason] for reason in sorted(most)} | ({"other reasons": n_others} if n_others else {})


def reasons(rejected: pl.DataFrame) -> pl.DataFrame:
    """How many records were rejected for each reason, and the first of them."""
    return rejected.group_by("reason", maintain_order=True).agg(n=pl.len(), record=pl.col("record").first())


def added_up(why: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """`reasons` of several batches as one."""
    return pl.concat(why).group_by("reason").agg(pl.col("n").sum(), pl.col("record").first()).sort("reason")


def told(n_read: int, why: pl.DataFrame) -> str:
    """How little could be read and why, with an example of each of the most frequent reasons."""
    read = f"only {n_read} conversations could be read" if n_read else "no conversation could be read"
    if why.is_empty():
        return f"{read}: every log is empty; add logs at a path of ingest.sources"
    most = why.sort("n", "reason", descending=[True, False]).head(MOST_REASONS)
    examples = "".join(f"\n  {n} × {reason} (first: {record})" for reason, n, record in most.iter_rows())
    further = f"\n  and {why.height - most.height} other reasons" if why.height > most.height else ""
    return f"{read}; {why['n'].sum()} records were rejected, mend the logs or ingest.sources:{examples}{further}"


if __name__ == "__main__":
    command(main)
