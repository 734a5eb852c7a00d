"""Forget people: leave them out of later runs, and delete what is stored.

The command adds them to `forgotten.txt`. The next `turnabout run` builds every table without them, and then deletes
what older runs stored about them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

#: Tables of messages: every log that the project has read, and what the stage `clean` kept of it.
TABLES = ("data/ingested", "data/messages")


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the people."""
    options.epilog = "example: turnabout forget u17"
    options.add_argument("people", nargs="+", metavar="USER", help="user_key of a person, as in data/messages")
    options.add_argument(
        "--even-if-unknown", action="store_true", help="also accept a person who is in no table of the project"
    )


def execute(people: Sequence[str], even_if_unknown: bool = False) -> int:
    """Add the people to the list and say what will be deleted.

    Raises `DataError` for a person who occurs in no table and is not on the list yet, unless `even_if_unknown`.
    """
    from turnabout.core.forgetting import FORGOTTEN, append_people, hash_user_key, read_forgotten_people
    from turnabout.core.io import write_text
    from turnabout.pipeline.project import find_root

    root = find_root(Path.cwd())
    path = root / FORGOTTEN
    n_conversations = count_conversations(root, people)
    if not even_if_unknown:
        listed = read_forgotten_people(path)
        _refuse_unknown([name for name in people if not n_conversations[name] and hash_user_key(name) not in listed])
    write_text(append_people(path.read_text(encoding="utf-8") if path.exists() else "", people), path)
    for person, n in n_conversations.items():
        print(f"{person}: {n} conversations")
    print(f"Added to {FORGOTTEN}. The next `turnabout run` makes every table and model without these conversations,")
    print("then deletes what older runs kept: old versions in DVC's cache (of other branches and commits, too), stored")
    print("answers, files and chats of earlier MLflow runs. The logs, remotes and backups are yours to delete.")
    return 0


def count_conversations(root: Path, people: Sequence[str]) -> dict[str, int]:
    """Return how many conversations of each person the project has read.

    `TABLES` are searched; the greatest number counts. It is 0 for all people if there is no table yet.
    """
    import polars as pl

    n_conversations = dict.fromkeys(people, 0)
    for table in TABLES:
        if not any((root / table).glob("*.parquet")):
            continue
        messages_of_people = pl.scan_parquet(root / table / "*.parquet").filter(pl.col("user_key").is_in(people))
        by_person = messages_of_people.group_by("user_key").agg(pl.col("conversation_id").n_unique()).collect()
        for person, n in by_person.iter_rows():
            n_conversations[person] = max(n_conversations[person], n)
    return n_conversations


def _refuse_unknown(people: Sequence[str]) -> None:
    """Raise `DataError` that names the people, if there are any."""
    from turnabout.errors import DataError

    if people:
        raise DataError(
            f"{', '.join(people)}: in no conversation of {' or '.join(TABLES)}, the tables of all logs that were read; "
            "check the spelling of the user_key (nothing was changed), or give --even-if-unknown for a person whose "
            "logs are read later"
        )
