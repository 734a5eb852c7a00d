"""What older runs left behind of people who asked to be forgotten, removed once the tables are made without them.

`forgotten.txt` keeps a person out of every table from the next run on. Their words still lie in older versions in DVC's
cache, in answers of language models, in the files and chats of earlier MLflow runs, in outputs of arms that were since
removed, in checkpoints of unfinished trainings and in pages written for labelling: those are what is swept.
"""

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

from turnabout.core.forgetting import FORGOTTEN, forgotten_people
from turnabout.core.io import write_text
from turnabout.generation.store import drop_unused
from turnabout.pipeline.repro import Stage, drop_old_versions, stage_graph, stale_reasons, wanted_stages
from turnabout.tracking.erasing import erase_earlier
from turnabout.training.engine.loop import WORK

ANSWERS = Path(".turnabout/answers.sqlite")

#: Which list was swept last, as the SHA-256 of its hashes.
SWEPT = Path(".turnabout/swept")

#: Pages and samples written for people to label; they quote conversations.
LABELLING = ("labels/label.html", "labels/to_label.csv")


class Swept(NamedTuple):
    """What was removed: answers, runs that lost their files, chats, and leftover files."""

    n_answers: int
    n_runs: int
    n_chats: int
    n_leftovers: int


def is_due(root: Path) -> bool:
    """Whether somebody was added to `forgotten.txt` since the last sweep, and the main pipeline is up to date again."""
    people = forgotten_people(root / FORGOTTEN)
    known = (root / SWEPT).read_text(encoding="utf-8") if (root / SWEPT).exists() else ""
    return bool(people) and _digest(people) != known and not stale_reasons(root, wanted_stages(stage_graph(root)))


def sweep(root: Path, since: float) -> Swept:
    """Remove what was made before `since` (seconds since 1970), the start of the run that left the people out.

    DVC's cache keeps only what the present outputs use: data of other branches and commits goes as well.
    """
    drop_old_versions(root)
    leftovers = _leftovers(root)
    for path in leftovers:
        delete(path)
    n_answers = drop_unused(root / ANSWERS, since)
    erased = erase_earlier(root, since)
    write_text(_digest(forgotten_people(root / FORGOTTEN)), root / SWEPT)
    return Swept(n_answers, erased.n_runs, erased.n_traces, len(leftovers))


def delete(path: Path) -> None:
    """Delete a file or a folder, or nothing where it went with the folder round it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _leftovers(root: Path) -> list[Path]:
    """Outputs of removed arms, half-written files and checkpoints of killed stages, and pages for labelling."""
    stages: list[Stage] = [stage for _, stage in stage_graph(root).nodes(data="stage")]
    current = {root / out for stage in stages for out in stage.outs}
    of_arms = {(Path(out), stage.arm) for stage in stages if stage.arm for out in stage.outs}
    patterns = {str(out.with_name("*" + out.name.removeprefix(arm))) for out, arm in of_arms}
    removed = {path for pattern in patterns for path in root.glob(pattern)} - current
    folders = {out.parts[0] for stage in stages for out in map(Path, stage.outs)}
    halves = {path for folder in folders for path in (root / folder).rglob(".*.tmp")}
    checkpoints = set((root / WORK).rglob("checkpoint-*"))
    pages = {root / page for page in LABELLING if (root / page).exists()}
    return sorted(removed | halves | checkpoints | pages)


def _digest(people: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(people)).encode()).hexdigest()
