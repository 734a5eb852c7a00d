"""Forget people: leave them out of all later runs, and delete what is stored.

The command adds them to `forgotten.txt`. The next `turnabout run` builds every table without them, and then deletes what
older runs stored about them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the people."""
    options.epilog = "example: turnabout forget u17"
    options.add_argument("people", nargs="+", metavar="USER", help="user_key of a person, as in data/messages")


def execute(people: Sequence[str]) -> int:
    """Add the people to the list and say what will be deleted."""
    from turnabout.core.forgetting import FORGOTTEN, append_people
    from turnabout.core.io import write_text
    from turnabout.pipeline.project import find_root

    root = find_root(Path.cwd())
    path = root / FORGOTTEN
    write_text(append_people(path.read_text(encoding="utf-8") if path.exists() else "", people), path)
    for person, n_conversations in count_conversations(root / "data" / "messages", people).items():
        print(f"{person}: {n_conversations} conversations in data/messages")
    print(f"Added to {FORGOTTEN}. The next `turnabout run` makes every table and model without these conversations,")
    print("then deletes what older runs kept: old versions in DVC's cache (of other branches and commits, too), stored")
    print("answers, files and chats of earlier MLflow runs. The logs, remotes and backups are yours to delete.")
    return 0


def count_conversations(messages: Path, people: Sequence[str]) -> dict[str, int]:
    """Return the number of conversations of each person.

    It is 0 for all people if there is no table yet.
    """
    import polars as pl

    counts: dict[str, int] = {}
    if any(messages.glob("*.parquet")):
        messages_of_people = pl.scan_parquet(messages / "*.parquet").filter(pl.col("user_key").is_in(people))
        by_person = messages_of_people.group_by("user_key").agg(pl.col("conversation_id").n_unique()).collect()
        counts = dict(by_person.iter_rows())
    return {person: counts.get(person, 0) for person in people}


def sweep_if_due(root: Path, since: float | None = None) -> None:
    """Delete what older runs stored about forgotten people, if it is due.

    It is due if there are forgotten people and all tables were built anew; the numbers of deletions are printed. `since`
    is the start of the run that left the people out (seconds since 1970), by default the time of the table of logs.
    """
    from turnabout.operations.sweep import is_due, sweep_forgotten

    if is_due(root):
        tables = [part.stat().st_mtime for part in (root / "data" / "ingested").iterdir()]
        swept = sweep_forgotten(root, max(tables) if since is None else since)
        print(
            f"\nforgotten people: {swept.n_answers} stored answers, the files of {swept.n_runs} earlier runs, "
            f"{swept.n_chats} chats and {swept.n_leftovers} leftover files deleted; "
            "DVC's cache keeps present outputs only"
        )
