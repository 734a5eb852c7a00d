"""Measures of the source tree: names, docstrings, calls and layers.

`make measures` (or `python -m tests.code_measures [ROOT]`) prints them. tests/test_code_measures.py holds the limits,
so that names and layers do not drift back.
"""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Identifiers that say nothing about what they hold. Use the noun for the value or the verb for the action.
RETIRED = frozenset("told said came how place room strangers reckoned foreseen nobody found".split())

#: A first docstring line is shorter than this, in characters.
MAX_FIRST_LINE = 75

#: Calls with at least this many positional arguments are counted.
MANY_POSITIONAL = 5

#: Folders and top-level files of the package, from the bottom up. A file imports only what stands before its own.
LAYERS = """
    errors core stats text pipeline tracking sources scrubbing cleaning models generation prompting judging follow_ups
    feedback labels intents preferences augment losses training quality simulation metrics ablations scoring serving
    report arms params exporting operations commands cli
""".split()


class Measures(NamedTuple):
    """Measures of the Python files of one source tree, without tests."""

    n_files: int
    n_lines: int
    n_functions: int
    one_word_functions: float
    """Share of functions whose name is one word, dunder methods not counted."""
    retired_identifiers: int
    longest_first_line: int
    median_first_line: float
    long_first_lines: int
    """Docstrings whose first line has `MAX_FIRST_LINE` or more characters."""
    undocumented: int
    """Public functions, classes and methods without a docstring of their own or of the method that they override."""
    many_positional: float
    """Calls with `MANY_POSITIONAL` or more positional arguments, per 1,000 lines."""
    nested_comprehensions: float
    """Comprehensions with several `for` or with another one inside, per 1,000 lines."""
    any_annotations: int
    """Uses of `Any`."""
    n_folders: int
    n_arrows: int
    """Pairs of folders of the package in which one imports the other."""
    arrows_back: int
    """Imports of the package that go from a lower to a higher layer."""
    n_circles: int
    """Groups of folders of the package that import each other."""
    largest_folder: int
    """Most Python files in one folder."""


def measure_tree(root: Path) -> Measures:
    """Measure `src`, `stages` and `flows` below `root`."""
    files = [path for folder in ("src", "stages", "flows") for path in sorted((root / folder).rglob("*.py"))]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    nodes = [node for text in texts.values() for node in ast.walk(ast.parse(text))]
    n_lines = sum(text.count("\n") for text in texts.values())
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")]
    first_lines = [len(line) for line in _first_docstring_lines(nodes)]
    edges = list(_import_edges(root / "src"))
    folders = {path.parent for path in files}
    return Measures(
        n_files=len(files),
        n_lines=n_lines,
        n_functions=len(functions),
        one_word_functions=sum("_" not in node.name.strip("_") for node in functions) / len(functions),
        retired_identifiers=sum(name in RETIRED for name in _identifiers(nodes)),
        longest_first_line=max(first_lines),
        median_first_line=statistics.median(first_lines),
        long_first_lines=sum(length >= MAX_FIRST_LINE for length in first_lines),
        undocumented=len(find_undocumented(list(texts.values()))),
        many_positional=1000 * sum(_n_positional(node) >= MANY_POSITIONAL for node in nodes) / n_lines,
        nested_comprehensions=1000 * sum(_is_nested_comprehension(node) for node in nodes) / n_lines,
        any_annotations=sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes),
        n_folders=len(folders),
        n_arrows=len({(one, other) for one, other in edges if one != other}),
        arrows_back=sum(_goes_up(one, other) for one, other in edges),
        n_circles=_count_circles({(one, other) for one, other in edges if one != other}),
        largest_folder=max(len(list(folder.glob("*.py"))) for folder in folders),
    )


def find_retired_identifiers(path: Path) -> list[str]:
    """Return `line: name` of every retired identifier in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [f"{getattr(node, 'lineno', 0)}: {name}" for node in nodes if (name := _identifier(node)) in RETIRED]


def find_long_first_lines(path: Path) -> list[str]:
    """Return every first docstring line of a file that is too long."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return [line for line in _first_docstring_lines(nodes) if len(line) >= MAX_FIRST_LINE]


def find_undocumented(texts: list[str]) -> list[str]:
    """Return names of public functions, classes and methods of modules that lack a docstring.

    A method counts as documented if a method of the same name has a docstring somewhere: it overrides that method.
    Functions inside functions do not count.
    """
    modules = [ast.parse(text) for text in texts]
    classes = [node for module in modules for node in module.body if isinstance(node, ast.ClassDef)]
    functions = [node for module in modules for node in module.body if isinstance(node, ast.FunctionDef)]
    methods = [node for owner in classes for node in owner.body if isinstance(node, ast.FunctionDef)]
    documented = {node.name for node in methods if ast.get_docstring(node)}
    top_level: list[ast.FunctionDef | ast.ClassDef] = [*functions, *classes]
    lacking = [node.name for node in top_level if not ast.get_docstring(node)]
    lacking += [node.name for node in methods if node.name not in documented]
    return [name for name in lacking if not name.startswith("_")]


def _first_docstring_lines(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            yield text.splitlines()[0]


def _identifiers(nodes: list[ast.AST]) -> Iterator[str | None]:
    return map(_identifier, nodes)


def _identifier(node: ast.AST) -> str | None:
    """Return the name that a node defines or uses, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else None


def _n_positional(node: ast.AST) -> int:
    if not isinstance(node, ast.Call):
        return 0
    return sum(not isinstance(argument, ast.Starred) for argument in node.args)


def _is_nested_comprehension(node: ast.AST) -> bool:
    kinds = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    if not isinstance(node, kinds):
        return False
    return len(node.generators) > 1 or any(isinstance(inner, kinds) for inner in ast.walk(node) if inner is not node)


def _import_edges(source: Path) -> Iterator[tuple[str, str]]:
    """Yield (layer of a file, layer that it imports) for every import inside the package."""
    for path in sorted((source / "turnabout").rglob("*.py")):
        own = path.relative_to(source / "turnabout").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "turnabout":
                continue
            parts = str(node.module).split(".")
            for layer in [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]:
                yield own, layer


def _goes_up(layer: str, imported: str) -> bool:
    if layer not in LAYERS or imported not in LAYERS:
        return layer != "__init__"
    return LAYERS.index(imported) > LAYERS.index(layer)


def _count_circles(edges: set[tuple[str, str]]) -> int:
    import networkx as nx

    return sum(len(group) > 1 for group in nx.strongly_connected_components(nx.DiGraph(list(edges))))


def main(root: Path = Path(".")) -> None:
    """Print the measures of one tree as a table."""
    for name, value in measure_tree(root)._asdict().items():
        number = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
        print(f"{name.replace('_', ' '):24} {number:>10}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
