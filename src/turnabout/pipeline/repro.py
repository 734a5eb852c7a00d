"""The only caller of DVC: the graph, what is stale and why, and one stage made current."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import networkx as nx

from turnabout.errors import ConfigError, StageFailed
from turnabout.pipeline.allocator import preloaded
from turnabout.pipeline.processes import Finished, ProcessGroups

Status = Literal["ran", "run-cache", "up-to-date"]

#: The pipeline that is meant where none is named. Other folders may hold one of their own (`ablations/dvc.yaml`).
MAIN = "dvc.yaml"

#: Only what cannot change a stage's output: `dvc repro` alone has to write the same bytes.
ENVIRONMENT = {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Plot:
    """One plot of a stage: a CSV file and the columns of its axes."""

    path: str
    x: str
    y: str


@dataclass(frozen=True)
class Stage:
    """One stage as its `dvc.yaml` describes it, templates filled in; paths are relative to the project's root."""

    name: str
    command: str
    desc: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    """Dotted keys of `params.yaml`."""
    outs: tuple[str, ...]
    """Every file or folder it writes, metrics and plots included."""
    metrics: tuple[str, ...]
    plots: tuple[Plot, ...]
    alone: bool = False
    """Whether it should have the machine to itself (`meta: {alone: true}`)."""
    pipeline: str = MAIN
    """The file that describes it, from the project's root."""

    @property
    def arm(self) -> str | None:
        """The `foreach` entry this stage was made for, or None."""
        return self.name.partition("@")[2] or None


def stage_graph(root: Path) -> nx.DiGraph:
    """The stages by name (attribute `stage`), edges from a dependency to its dependents."""
    with _opened(root) as repo:
        graph: nx.DiGraph = nx.DiGraph()
        for node in repo.index.stages:
            graph.add_node(node.name, stage=_stage(node, root))
        graph.add_edges_from((dependency.name, node.name) for node, dependency in repo.index.graph.edges)
        return graph


def wanted_stages(graph: nx.DiGraph, targets: Sequence[str] = ()) -> list[str]:
    """The targets and all their ancestors in an order that can run; no target means every stage of `MAIN`.

    A target is a stage (`build_pairs@drift`), a group of them (`build_pairs`) or the folder of another pipeline.
    """
    position = {name: index for index, name in enumerate(graph)}
    ordered = list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))
    folders = {name: str(Path(stage.pipeline).parent) for name, stage in graph.nodes(data="stage")}
    chosen: set[str] = set()
    for target in targets or [str(Path(MAIN).parent)]:
        wanted = target.rstrip("/")  # a shell completes a folder's name with one
        members = {name for name in graph if wanted in (name, name.partition("@")[0], folders[name])}
        if targets and not members:
            others = sorted(set(folders.values()) - {"."})
            raise ConfigError(f"target '{target}' is not a stage; the stages are {ordered}, other pipelines {others}")
        chosen |= members.union(*(nx.ancestors(graph, member) for member in members))
    return [name for name in ordered if name in chosen]


def stale_reasons(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Why each of these stages has to run; stages that are up to date are left out."""
    with _opened(root) as repo, repo.lock:
        nodes = {node.name: node for node in repo.index.stages}
        told = {name: _reasons(nodes[name]) for name in names}
    return {name: reasons for name, reasons in told.items() if reasons}


def content_hashes(root: Path, name: str) -> dict[str, str]:
    """DVC's MD5 of each dependency and output of a stage as it lies on disk, by path (folders end in `.dir`)."""
    with _opened(root) as repo:
        node = next(node for node in repo.index.stages if node.name == name)
        files = [entry for entry in (*node.deps, *node.outs) if not hasattr(entry, "params") and entry.exists]
        return {entry.def_path: str(entry.get_hash().value) for entry in files}


def reproduce(
    root: Path,
    name: str,
    groups: ProcessGroups,
    on_line: Callable[[str], None],
    *,
    pipeline: str = MAIN,
    force: bool = False,
    terminal: bool = False,
    env: Mapping[str, str] | None = None,
) -> tuple[Status, Finished]:
    """Make one stage current whose ancestors are current, and say how. Raises `StageFailed` with the end of its log."""
    seen: set[Status] = set()

    def watch(line: str) -> None:
        if "is cached - skipping run" in line:
            seen.add("run-cache")
        elif "didn't change, skipping" in line:
            seen.add("up-to-date")
        on_line(line)

    target = name if pipeline == MAIN else f"{pipeline}:{name}"
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", target]
    environment = {**os.environ, **preloaded(), **ENVIRONMENT, **(env or {})}
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    finished = groups.stream(command + ["--force"] * force, root, environment, watch, terminal)
    if finished.status:
        raise StageFailed(f"stage {name} ended with status {finished.status}; the end of its log:\n{finished.tail}")
    return (seen.pop() if seen else "ran"), finished


def drop_old_versions(root: Path) -> None:
    """Delete from DVC's cache what the project's present outputs do not use. Raises `StageFailed` where it cannot."""
    command = [sys.executable, "-m", "dvc", "gc", "--workspace", "--force", "--quiet"]
    done = subprocess.run(command, cwd=root, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    if done.returncode:
        raise StageFailed(f"`dvc gc --workspace` ended with status {done.returncode}:\n{done.stderr}")


def mend_lock(root: Path) -> bool:
    """Remove a lock file that a killed DVC left unreadable (every later command would refuse); true if one was removed.

    Left alone while any DVC process works in this project.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    if not lock_is_broken(root) or _dvc_runs(root):
        return False
    path.unlink(missing_ok=True)
    return True


def lock_is_broken(root: Path) -> bool:
    """Whether `.dvc/tmp/rwlock` exists and cannot be read."""
    path = root / ".dvc" / "tmp" / "rwlock"
    if not path.exists():
        return False
    try:
        return not isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return True


@contextlib.contextmanager
def _opened(root: Path) -> Iterator[Any]:
    """DVC's view of the project; its complaints about the project's files become `ConfigError`."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        if missing := _missing_repositories(root):
            raise ConfigError(
                f"{root} is no {' and no '.join(missing)} repository, and DVC needs both; run "
                f"`{' && '.join(f'{kind} init' for kind in missing)}` in {root}"
            ) from error
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ConfigError(f"DVC cannot use the project in {root}: {error}{cause}") from error


def _missing_repositories(root: Path) -> list[str]:
    """Which of git and dvc have no repository at or above the root, in the order they are to be made."""
    folders = [root.resolve(), *root.resolve().parents]
    return [kind for kind in ("git", "dvc") if not any((folder / f".{kind}").exists() for folder in folders)]


def _stage(node: Any, root: Path) -> Stage:
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


def _reasons(node: Any) -> list[str]:
    """DVC's nested status as lines: `{"changed deps": {"params.yaml": {"seed": "modified"}}}` → `seed modified`."""
    if not any(entry.hash_info for entry in (*node.deps, *node.outs)):
        return ["never ran"]
    reasons: list[str] = []
    for entry in (entry for entries in node.status().values() for entry in entries):
        if isinstance(entry, str):
            reasons.append("command changed" if entry == "changed checksum" else entry)
            continue
        for path, change in (pair for changes in entry.values() for pair in changes.items()):
            keyed = change.items() if isinstance(change, dict) else [(path, change)]
            reasons += [f"{key} {what}" for key, what in keyed]
    return reasons


def _dvc_runs(root: Path) -> bool:
    import psutil

    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        in_project = process.info["cwd"] is not None and Path(process.info["cwd"]).is_relative_to(root.resolve())
        if in_project and any(Path(word).name == "dvc" for word in words):
            return True
    return False
