"""Check the environment and the project, and say how to fix problems.

The exit status is 1 if there is a problem.
"""

import argparse
import contextlib
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
    yield _check_path()
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


def _check_path() -> Check:
    """Check that `python` and `turnabout` are those of this environment.

    The commands in `dvc.yaml` begin with `python`, so `dvc repro` would start another one.
    """
    folder = Path(sys.executable).parent
    for program in ("python", "turnabout"):
        path = shutil.which(program)
        if path is None or not Path(path).parent.samefile(folder):
            finding = f"{folder} is not first on PATH: {program} is {path or 'not there'}"
            is_venv = (folder / "activate").exists()
            return Check("PATH", finding, f"run `source {folder}/activate`" if is_venv else f"put {folder} on PATH")
    return Check("PATH", f"begins with the environment in {folder}")


def _check_packages(root: Path) -> Iterator[Check]:
    """Compare the installed versions with `requirements.lock`."""
    lock = root / "requirements.lock"
    if not lock.exists():
        yield Check("packages", "no requirements.lock here", "copy it from the repository, or run `pip freeze`")
        return
    pins = parse_pins(lock.read_text(encoding="utf-8"))
    compared = [_compare_version(name, version) for name, version in pins.items()]
    differing = [difference for difference in compared if difference is not None]
    if not differing:
        yield Check("packages", f"{len(pins)} as pinned in requirements.lock")
        return
    more = f" and {len(differing) - MAX_SHOWN} more" if len(differing) > MAX_SHOWN else ""
    yield Check("packages", "; ".join(differing[:MAX_SHOWN]) + more, "run `make install` again")


def parse_pins(lock: str) -> dict[str, str]:
    """Return the version of each package in the text of a lock file.

    Comments, lines that pin no version, such as `-e .`, and packages for other versions of Python are left out.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    pins = {}
    for line in lock.splitlines():
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue
        is_for_this_python = requirement.marker is None or requirement.marker.evaluate()
        versions = [pin.version for pin in requirement.specifier if pin.operator == "=="]
        if versions and is_for_this_python:
            pins[requirement.name] = versions[0]
    return pins


def _compare_version(name: str, pinned: str) -> str | None:
    """Return how the installed version differs from the pinned one, or None.

    Local version suffixes (`2.13.0+cpu`) do not count.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version(name).partition("+")[0]
    except PackageNotFoundError:
        return f"{name} is missing"
    return None if installed == pinned.partition("+")[0] else f"{name} is {installed}, pinned {pinned}"


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
    yield _check_backbone(root, params.backbone.name)
    yield _check_cache()


def _check_backbone(root: Path, name: str) -> Check:
    """Check the backbone as the stage `backbone` would, without its weights."""
    from turnabout.errors import ModelError
    from turnabout.models.checkpoints import EMBEDDED, check_backbone, load_backbone_chat

    if name in EMBEDDED:
        missing = EMBEDDED[name].missing
        remedy = f"the package '{missing}' is missing: run `{EMBEDDED[name].installed_by}`" if missing else None
        return Check("backbone", f"{name}, embedded", remedy)
    with contextlib.chdir(root):  # a path in params.yaml is relative to the project's root
        is_folder = Path(name).is_dir()
        finding = f"{name}, a folder" if is_folder else f"{name}, from the Hugging Face Hub"
        remedy = None if is_folder else _check_hub_access(name)
        if remedy is not None:
            return Check("backbone", finding, remedy)
        try:
            check_backbone(name)
            load_backbone_chat(name)
        except ModelError as error:
            hint = "; unset HF_HUB_OFFLINE" if not is_folder and is_hub_offline() else ""
            return Check("backbone", finding, f"{error}{hint}")
    return Check("backbone", f"{finding}; its tokenizer and chat template can be used")


def _check_hub_access(name: str) -> str | None:
    """Return what to do before the Hub gives a model, or None.

    Only a name that the Hub refuses is handled here; other errors are those of the stage `backbone`.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if is_hub_offline():
        return None
    try:
        HfApi().auth_check(name)
    except GatedRepoError:
        return f"accept its terms on https://huggingface.co/{name} and set HF_TOKEN to a token of that account"
    except RepositoryNotFoundError:
        return "the Hub knows no public model of that name: correct backbone.name, or set HF_TOKEN for a private model"
    except (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError):
        return None
    return None


def is_hub_offline() -> bool:
    """Return whether the environment forbids calls of the Hub."""
    return os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")


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
