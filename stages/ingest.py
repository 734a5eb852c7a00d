"""Stage: logs of any known format in, one table of messages out; what cannot be read goes to quarantine."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout import schemas
from turnabout.errors import ConfigError, DataError
from turnabout.io import write_frame, write_json
from turnabout.params import load_params
from turnabout.sources import Batch, Source


def main(watch: Path, ingested: Path, quarantine: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Read every source of `ingest.sources`; `DataError` where not one conversation could be read."""
    sources = load_params(params).ingest.sources
    refuse_unwatched(sources, watch)
    messages, rejected = gather(sources)
    if messages.is_empty():
        raise DataError(nothing_read(rejected))
    write_frame(messages, ingested, schemas.MESSAGES)
    write_frame(rejected, quarantine, schemas.QUARANTINE)
    first = messages.unique("conversation_id", maintain_order=True)
    write_json(
        {
            "n_conversations": first.height,
            "n_messages": messages.height,
            "n_rejected": rejected.height,
            "rejected_by_reason": counts(rejected, "reason"),
            "conversations_by_source": counts(first, "source"),
        },
        metrics,
    )


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


def gather(sources: Iterable[Source]) -> Batch:
    """All messages sorted, and all rejects as they came; a conversation id belongs to the first source that has it."""
    batches = [
        Batch(messages.with_columns(nth=pl.lit(nth)), rejected)
        for nth, source in enumerate(sources)
        for messages, rejected in tqdm(source.batches(), desc=source.format, unit="batch", disable=None)
    ]
    messages = pl.concat([batch.messages for batch in batches]).sort("conversation_id", "nth", "message_index")
    is_first = pl.col("nth") == pl.col("nth").first().over("conversation_id")
    again = messages.filter(~is_first).unique(["conversation_id", "nth"], keep="first", maintain_order=True)
    rejected_again = again.select(
        "source",
        record="conversation_id",
        reason=pl.lit("conversation id occurs in an earlier source"),
        excerpt=pl.col("text").str.head(200),
    )
    rejected = pl.concat([*(batch.quarantine for batch in batches), rejected_again])
    return Batch(messages.filter(is_first).drop("nth"), rejected)


def counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Rows for each value of a column, in order of value."""
    return dict(frame.group_by(column).len().sort(column).iter_rows())


def nothing_read(rejected: pl.DataFrame) -> str:
    """Why an ingest came to nothing. DVC removes the outputs of a failed stage, so the reasons must be told here."""
    if rejected.is_empty():
        return "no conversation could be read: every log is empty; add logs at a path of ingest.sources"
    examples = rejected.group_by("reason").agg(pl.len(), pl.col("record").first()).sort("reason")
    told = "".join(f"\n  {n} × {reason} (first: {record})" for reason, n, record in examples.iter_rows())
    return f"no conversation could be read; {rejected.height} records were rejected, mend the logs:{told}"


if __name__ == "__main__":
    command(main)
