"""Layers point one way: flows → stages → turnabout; one module each for DVC and MLflow; data code needs no torch."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import imported, module_name, python_files

FILES = python_files("src", "stages", "flows")
DATA_STAGES = ("ingest", "clean", "split", "mine", "flip", "report")


def importers(*libraries: str) -> set[str]:
    """The files that import any of these libraries, at the top or inside a function."""
    found = {path for path in FILES if any(module.split(".")[0] in libraries for module, _ in imported(path))}
    return {str(path) for path in found}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_module_imports(path: Path) -> None:
    assert importlib.import_module(module_name(path)).__doc__, "a module says what it is for"


def test_the_package_knows_neither_prefect_nor_stages_nor_flows() -> None:
    assert not {path for path in importers("prefect", "stages", "flows") if path.startswith("src/")}


def test_stages_do_not_know_flows_or_prefect() -> None:
    assert not {path for path in importers("prefect", "flows") if path.startswith("stages/")}


def test_only_tracking_imports_mlflow() -> None:
    assert {path for path in importers("mlflow") if not path.startswith("src/turnabout/tracking/")} == set()


def test_only_repro_imports_dvc() -> None:
    assert importers("dvc") == {"src/turnabout/repro.py"}


@pytest.mark.parametrize(
    "module",
    ["turnabout.params", "turnabout.cli", *(f"stages.{name}" for name in DATA_STAGES)],
)
def test_what_needs_no_model_starts_without_one(module: str) -> None:
    script = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'mlflow', 'prefect'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
