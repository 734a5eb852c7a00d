"""The project's Python files and their imports, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Modules that every stage may use without naming them: plumbing that no result depends on.
PLUMBING = {
    "src/turnabout/core/io.py",
    "src/turnabout/errors.py",
    "src/turnabout/core/config.py",
    "src/turnabout/params.py",
    "src/turnabout/arms.py",
    "stages/_command.py",
}


def list_python_files(*folders: str) -> list[Path]:
    """Return every Python file below these folders, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def get_module_name(path: Path) -> str:
    """Return the module name of a file.

    It is `turnabout.core.io` for src/turnabout/core/io.py. The name of a package's `__init__.py` is that of the
    package.
    """
    parts = list(path.with_suffix("").parts)
    return ".".join(part for part in parts[parts[0] == "src" :] if part != "__init__")


def parse_imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name or None) for each import of a file at run time.

    Imports inside functions are included.
    """
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for block in (node for node in ast.walk(tree) if isinstance(node, ast.If)):
        if isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            block.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def list_imported_files(path: Path) -> set[Path]:
    """Return the project's own files that a file imports.

    A name that a package re-exports leads to the module that defines it.
    """
    return {file for module, name in parse_imports(path) if (file := _find_file(module, name)) is not None}


def list_required_files(starts: set[Path]) -> set[Path]:
    """Return all files that these files import, directly or indirectly.

    Plumbing, tracking and the packages' `__init__.py` are left out.
    """
    reached: set[Path] = set()
    waiting = list(starts)
    while waiting:
        file = waiting.pop()
        if file in reached or _is_plumbing(file):
            continue
        reached.add(file)
        waiting += list_imported_files(file)
    return reached


def _is_plumbing(file: Path) -> bool:
    in_tracking = file.is_relative_to("src/turnabout/tracking")
    return str(file) in PLUMBING or in_tracking or file.name == "__init__.py"


def _find_file(module: str, name: str | None) -> Path | None:
    if name is not None and (submodule := _find_module_file(f"{module}.{name}")) is not None:
        return submodule
    file = _find_module_file(module)
    if file is None or file.name != "__init__.py" or name is None:
        return file
    origins = [origin for origin, other in parse_imports(file) if other == name]
    return _find_file(origins[0], name) if origins else file


def _find_module_file(module: str) -> Path | None:
    base = Path("src" if module.split(".")[0] == "turnabout" else ".", *module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if (ROOT / path).exists()), None)
