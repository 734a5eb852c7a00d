"""DVC: the graph of stages, stale stages, and reproducing a stage.

No other module calls DVC.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import networkx as nx

from turnabout.errors import ConfigError, StageFailed
from turnabout.pipeline.allocator import allocator_environment
from turnabout.pipeline.processes import CompletedCommand, ProcessGroups

Status = Literal["ran", "run-cache", "up-to-date"]

#: The default pipeline. Other folders may hold pipelines of their own (`ablations/dvc.yaml`).
MAIN = "dvc.yaml"

#: Environment of stages. Nothing in it changes an output, because plain `dvc repro` must write the same bytes.
ENVIRONMENT = {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


#: First line of an error: `DataError: …` of a stage, or the last line of Python's traceback.
_ERROR_LINE = re.compile(r"[\w.]*(?:Error|Exception|Exceeded|Interrupt)(?:: |$)")


@dataclass(frozen=True)
class Plot:
    """One plot of a stage: a CSV file and the columns of its axes."""

    path: str
    x: str
    y: str


@dataclass(frozen=True)
class Stage:
    """One stage of a `dvc.yaml` with its templates filled in.

    Paths are relative to the project's root.
    """

    name: str
    command: str
    desc: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    """Dotted keys of `params.yaml`."""
    outs: tuple[str, ...]
    """All files and folders it writes, including metrics and plots."""
    metrics: tuple[str, ...]
    plots: tuple[Plot, ...]
    alone: bool = False
    """Whether no other stage may run beside it (`meta: {alone: true}`)."""
    pipeline: str = MAIN
    """The `dvc.yaml` that describes it."""

    @property
    def arm(self) -> str | None:
        """Return the `foreach` entry of the stage, or None."""
        return self.name.partition("@")[2] or None


def load_stage_graph(root: Path) -> nx.DiGraph:
    """Return the graph of stages.

    Nodes have the attribute `stage`; edges go from a dependency to its dependents.
    """
    with _open_repo(root) as repo:
        graph: nx.DiGraph = nx.DiGraph()
        for node in repo.index.stages:
            graph.add_node(node.name, stage=_to_stage(node, root))
        graph.add_edges_from((dependency.name, node.name) for node, dependency in repo.index.graph.edges)
        return graph


def select_stages(graph: nx.DiGraph, targets: Sequence[str] = ()) -> list[str]:
    """Return the targets and all their ancestors in an executable order.

    A target is a stage (`build_pairs@drift`), a group of stages (`build_pairs`) or the folder of another pipeline. No
    target means all stages of `MAIN`. Raises `ConfigError` for an unknown target.
    """
    position = {name: index for index, name in enumerate(graph)}
    ordered = list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))
    folders = {name: str(Path(stage.pipeline).parent) for name, stage in graph.nodes(data="stage")}
    chosen: set[str] = set()
    for target in targets or [str(Path(MAIN).parent)]:
        wanted = target.rstrip("/")  # shells complete a folder's name with a slash
        members = {name for name in graph if wanted in (name, name.partition("@")[0], folders[name])}
        if targets and not members:
            others = sorted(set(folders.values()) - {"."})
            raise ConfigError(f"target '{target}' is not a stage; the stages are {ordered}, other pipelines {others}")
        chosen |= members.union(*(nx.ancestors(graph, member) for member in members))
    return [name for name in ordered if name in chosen]


def find_stale_reasons(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the reasons why stages must run.

    Stages that are up to date are left out.
    """
    with _open_repo(root) as repo, repo.lock:
        nodes = {node.name: node for node in repo.index.stages}
        reasons_of = {name: _find_reasons(nodes[name]) for name in names}
    return {name: reasons for name, reasons in reasons_of.items() if reasons}


def hash_contents(root: Path, name: str) -> dict[str, str]:
    """Return DVC's MD5 of a stage's dependencies and outputs, by path.

    The files are hashed as they are on disk. The hashes of folders end in `.dir`.
    """
    with _open_repo(root) as repo:
        node = next(node for node in repo.index.stages if node.name == name)
        files = [entry for entry in (*node.deps, *node.outs) if not hasattr(entry, "params") and entry.exists]
        return {entry.def_path: str(entry.get_hash().value) for entry in files}


def reproduce_stage(
    root: Path,
    name: str,
    groups: ProcessGroups,
    on_line: Callable[[str], None],
    *,
    pipeline: str = MAIN,
    force: bool = False,
    terminal: bool = False,
    env: Mapping[str, str] | None = None,
) -> tuple[Status, CompletedCommand]:
    """Bring one stage up to date; its ancestors must be up to date.

    Returns how it became current, and the command's result. Raises `StageFailed` with the end of the log.
    """
    seen: set[Status] = set()

    def watch(line: str) -> None:
        if "is cached - skipping run" in line:
            seen.add("run-cache")
        elif "didn't change, skipping" in line:
            seen.add("up-to-date")
        on_line(line)

    target = name if pipeline == MAIN else f"{pipeline}:{name}"
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", target]
    environment = {**os.environ, **allocator_environment(), **ENVIRONMENT, **(env or {})}
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    finished = groups.stream(command + ["--force"] * force, root, environment, watch, terminal)
    if finished.status:
        raise StageFailed(f"stage {name} ended with status {finished.status}; the end of its log:\n{finished.tail}")
    return (seen.pop() if seen else "ran"), finished


def find_error(log: str) -> str:
    """Return the error in the end of a stage's log, without what DVC adds.

    It is the last line that starts with the name of an error class, with the lines after it; else the last line of
    the stage; else DVC's own error.
    """
    lines = log.splitlines()
    end = next((index for index, line in enumerate(lines) if line.startswith("ERROR: failed to reproduce")), len(lines))
    if end < len(lines) and "failed to run" not in lines[end]:
        return lines[end].removeprefix("ERROR: ")
    for start in reversed(range(end)):
        if _ERROR_LINE.match(lines[start]):
            return "\n".join(lines[start:end])
    return lines[end - 1] if end else log


def remove_unused_cache(root: Path) -> None:
    """Delete files from DVC's cache that the current outputs do not use.

    Raises `StageFailed` if DVC cannot do it.
    """
    command = [sys.executable, "-m", "dvc", "gc", "--workspace", "--force", "--quiet"]
    done = subprocess.run(command, cwd=root, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    if done.returncode:
        raise StageFailed(f"`dvc gc --workspace` ended with status {done.returncode}:\n{done.stderr}")


def repair_lock(root: Path) -> bool:
    """Remove a lock file that a killed DVC left unreadable.

    Returns whether one was removed. With an unreadable lock every DVC command fails. The file stays while any DVC
    process runs in this project.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    if not is_lock_broken(root) or _is_dvc_running(root):
        return False
    path.unlink(missing_ok=True)
    return True


def is_lock_broken(root: Path) -> bool:
    """Whether `.dvc/tmp/rwlock` exists and cannot be read."""
    path = root / ".dvc" / "tmp" / "rwlock"
    if not path.exists():
        return False
    try:
        return not isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return True


@contextlib.contextmanager
def _open_repo(root: Path) -> Iterator[Any]:
    """Open the project with DVC; errors of its files become `ConfigError`."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        if missing := _find_missing_repositories(root):
            raise ConfigError(
                f"{root} is no {' and no '.join(missing)} repository, and DVC needs both; run "
                f"`{' && '.join(f'{kind} init' for kind in missing)}` in {root}"
            ) from error
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ConfigError(f"DVC cannot use the project in {root}: {error}{cause}") from error


def _find_missing_repositories(root: Path) -> list[str]:
    """Return which of git and dvc have no repository, in the order of creation."""
    folders = [root.resolve(), *root.resolve().parents]
    return [kind for kind in ("git", "dvc") if not any((folder / f".{kind}").exists() for folder in folders)]


def _to_stage(node: Any, root: Path) -> Stage:
    return Stage(
        name=node.name,
        command=str(node.cmd),
        desc=node.desc or "",
        deps=tuple(dep.def_path for dep in node.deps if not hasattr(dep, "params")),
        params=tuple(key for dep in node.deps if hasattr(dep, "params") for key in dep.params),
        outs=tuple(out.def_path for out in node.outs),
        metrics=tuple(out.def_path for out in node.outs if out.metric),
        plots=tuple(Plot(out.def_path, out.plot["x"], out.plot["y"]) for out in node.outs if out.plot),
        alone=bool((node.meta or {}).get("alone")),
        pipeline=os.path.relpath(node.path, root.resolve()),
    )


def _find_reasons(node: Any) -> list[str]:
    """Flatten DVC's nested status of a stage into lines.

    `{"changed deps": {"params.yaml": {"seed": "modified"}}}` becomes `seed modified`.
    """
    if not any(entry.hash_info for entry in (*node.deps, *node.outs)):
        return ["never ran"]
    reasons: list[str] = []
    for entry in chain.from_iterable(node.status().values()):
        if isinstance(entry, str):
            reasons.append("command changed" if entry == "changed checksum" else entry)
            continue
        for changes in entry.values():
            for path, change in changes.items():
                keyed = change.items() if isinstance(change, dict) else [(path, change)]
                reasons += [f"{key} {state}" for key, state in keyed]
    return reasons


def _is_dvc_running(root: Path) -> bool:
    import psutil

    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        in_project = process.info["cwd"] is not None and Path(process.info["cwd"]).is_relative_to(root.resolve())
        if in_project and any(Path(word).name == "dvc" for word in words):
            return True
    return False
