"""Imports point one way: flows → stages → turnabout, and down the list `LAYERS` inside the package."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.code_measures import LAYERS
from tests.source_tree import get_module_name, list_imported_files, list_python_files, parse_imports

FILES = list_python_files("src", "stages", "flows")
#: The most Python files one folder holds.
MAX_FILES = 24

DATA_STAGES = ("ingest", "clean", "split", "mine", "flip", "report")


def importers(*libraries: str) -> set[str]:
    """The files that import any of these libraries, at the top or inside a function."""
    importing = {path for path in FILES if any(module.split(".")[0] in libraries for module, _ in parse_imports(path))}
    return {str(path) for path in importing}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_module_imports(path: Path) -> None:
    assert importlib.import_module(get_module_name(path)).__doc__, "a module says what it is for"


def layer(path: Path) -> str:
    """The folder or top-level file of the package that a path belongs to; empty for the package's `__init__`."""
    name = path.relative_to("src/turnabout").parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def test_the_layers_are_the_folders_of_the_package() -> None:
    assert sorted(LAYERS) == sorted({layer(path) for path in list_python_files("src")} - {""})


@pytest.mark.parametrize("path", list_python_files("src"), ids=str)
def test_a_file_imports_only_lower_layers(path: Path) -> None:
    if not layer(path):
        return
    rank = LAYERS.index(layer(path))
    upward = [str(file) for file in list_imported_files(path) if layer(file) and LAYERS.index(layer(file)) > rank]
    assert upward == [], f"{path} is in layer '{layer(path)}', which stands below these"


def test_no_folder_is_flat() -> None:
    folders = {path.parent for path in FILES}
    sizes = {str(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MAX_FILES} == {}


def test_the_package_knows_neither_prefect_nor_stages_nor_flows() -> None:
    assert not {path for path in importers("prefect", "stages", "flows") if path.startswith("src/")}


def test_stages_do_not_know_flows_or_prefect() -> None:
    assert not {path for path in importers("prefect", "flows") if path.startswith("stages/")}


def test_only_tracking_imports_mlflow() -> None:
    assert {path for path in importers("mlflow") if not path.startswith("src/turnabout/tracking/")} == set()


def test_only_repro_imports_dvc() -> None:
    assert importers("dvc") == {"src/turnabout/pipeline/repro.py"}


@pytest.mark.parametrize(
    "module",
    ["turnabout.params", "turnabout.cli", *(f"stages.{name}" for name in DATA_STAGES)],
)
def test_what_needs_no_model_starts_without_one(module: str) -> None:
    script = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'mlflow', 'prefect'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
