"""Removal of data that earlier runs stored about forgotten people.

`forgotten.txt` keeps a person out of every table from the next run on. Their messages remain in older versions in DVC's
cache, in answers of language models, in files and chats of earlier MLflow runs, in outputs of arms that were removed
since, in checkpoints of unfinished trainings and in pages written for labelling. The sweep removes those, once the
tables have been made without the person.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from turnabout.core.forgetting import FORGOTTEN, is_swept, mark_swept, read_forgotten_people
from turnabout.generation.store import ANSWERS_FILE, drop_unused
from turnabout.pipeline.repro import Stage, find_stale_reasons, load_stage_graph, remove_unused_cache, select_stages
from turnabout.tracking.erasing import erase_earlier
from turnabout.training.engine.settings import WORK

#: Pages and samples written for labelling; they quote conversations.
LABELLING = ("labels/label.html", "labels/to_label.csv")


class SweepCounts(NamedTuple):
    """Counts of removed answers, runs' files, chats and leftover files."""

    n_answers: int
    n_runs: int
    n_chats: int
    n_leftovers: int


def is_due(root: Path) -> bool:
    """Return whether people were added to `forgotten.txt` since the last sweep.

    The main pipeline must also be up to date again.
    """
    if is_swept(root, read_forgotten_people(root / FORGOTTEN)):
        return False
    return not find_stale_reasons(root, select_stages(load_stage_graph(root)))


def sweep_if_due(root: Path, since: float | None = None) -> SweepCounts | None:
    """Remove what older runs kept of forgotten people, if that is due.

    `since` is the start of the run that left them out, in seconds since 1970; without it, the time of the ingested
    table. Returns None if nothing is due.
    """
    if not is_due(root):
        return None
    if since is None:
        since = max(part.stat().st_mtime for part in (root / "data" / "ingested").iterdir())
    return sweep_forgotten(root, since)


def describe_sweep(counts: SweepCounts) -> str:
    """Return one line on what was removed."""
    return (
        f"forgotten people: {counts.n_answers} stored answers, the files of {counts.n_runs} earlier runs, "
        f"{counts.n_chats} chats and {counts.n_leftovers} leftover files deleted; DVC's cache has current outputs only"
    )


def sweep_forgotten(root: Path, since: float) -> SweepCounts:
    """Remove everything stored before `since`, in seconds since 1970.

    `since` is the start of the first run without the forgotten people. DVC's cache keeps only what the current outputs
    use; data of other branches and commits is removed as well.
    """
    remove_unused_cache(root)
    leftovers = _find_leftovers(root)
    for path in leftovers:
        delete_path(path)
    n_answers = drop_unused(root / ANSWERS_FILE, since)
    erased = erase_earlier(root, since)
    mark_swept(root, read_forgotten_people(root / FORGOTTEN))
    return SweepCounts(n_answers=n_answers, n_runs=erased.n_runs, n_chats=erased.n_traces, n_leftovers=len(leftovers))


def delete_path(path: Path) -> None:
    """Delete a file or folder, if it was not deleted with its parent folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _find_leftovers(root: Path) -> list[Path]:
    """Return files that no current stage owns.

    These are outputs of removed arms, temporary files and checkpoints of killed stages, and pages for labelling.
    """
    stages: list[Stage] = [stage for _, stage in load_stage_graph(root).nodes(data="stage")]
    current: set[Path] = set()
    patterns: set[str] = set()
    folders: set[str] = set()
    for stage in stages:
        for out in map(Path, stage.outs):
            current.add(root / out)
            folders.add(out.parts[0])
            if stage.arm:
                patterns.add(str(out.with_name("*" + out.name.removeprefix(stage.arm))))
    leftovers: set[Path] = set()
    for pattern in patterns:
        leftovers.update(root.glob(pattern))
    leftovers -= current
    for folder in folders:
        leftovers.update((root / folder).rglob(".*.tmp"))
    leftovers.update((root / WORK).rglob("checkpoint-*"))
    leftovers.update(root / page for page in LABELLING if (root / page).exists())
    return sorted(leftovers)
