"""Check that targets, modules and options of shown commands exist."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.promises.documents import read_commands, split_words
from tests.promises.tables import find_reason
from tests.source_tree import ROOT, list_imported_files
from turnabout.cli import _build_parser
from turnabout.commands import COMMANDS
from turnabout.pipeline.repro import load_stage_graph, select_stages


def list_texts(*programs: str) -> list[str]:
    """Return the distinct commands of some programs that are not listed."""
    texts = {command.text for command in read_commands() if command.program in programs}
    return sorted(text for text in texts if find_reason(text) is None)


@pytest.mark.parametrize("text", list_texts("turnabout"))
def test_subcommand_and_options_exist(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = split_words(text)[1:]
    parser = _build_parser()
    if words == ["--help"]:
        return
    assert words[0] in COMMANDS, f"no such command; the commands are {list(COMMANDS)}"
    with pytest.raises(SystemExit):
        parser.parse_args([words[0], "--help"])
    options = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {word for word in words if word.startswith("--")} <= options
    if len(words) > 1 and not words[-1].startswith("--"):
        parser.parse_args(words)  # a whole command, not only a mention of its name or of one option


@pytest.fixture(scope="module")
def graph() -> Any:
    return load_stage_graph(ROOT)


@pytest.mark.parametrize("text", list_texts("turnabout", "dvc"))
def test_target_of_a_run_is_a_stage_or_a_pipeline(text: str, graph: Any) -> None:
    words = split_words(text)
    if words[1] not in ("run", "plan", "repro"):
        return
    for target in (word for word in words[2:] if not word.startswith("-") and not word.isupper()):
        assert (ROOT / target).is_file() or select_stages(graph, [target])


@pytest.mark.parametrize("text", list_texts("dvc"))
def test_dvc_knows_the_command_and_its_options(text: str) -> None:
    from dvc.cli.parser import get_main_parser

    parsed = get_main_parser().parse_args(split_words(text)[1:])
    assert parsed.func.__module__.startswith("dvc.commands.")


@pytest.mark.parametrize("text", list_texts("make"))
def test_make_target_exists(text: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in split_words(text)[1:]:
        name = word.partition("=")[0]
        assert re.search(rf"^{name}( \?)?[:=]", makefile, re.MULTILINE), f"the Makefile has no '{name}'"


@pytest.mark.parametrize("text", list_texts("python -m"))
def test_module_and_its_options_exist(text: str) -> None:
    words = split_words(text)[2:]
    spec = find_spec(words[0])
    assert spec is not None, f"no module {words[0]}"
    file = Path(str(spec.origin)).relative_to(ROOT)
    options = {name for path in (file, *list_imported_files(file)) for name in list_added_options(ROOT / path)}
    assert {word for word in words if word.startswith("--")} <= options


def list_added_options(path: Path) -> Iterator[str]:
    """Yield the options that a file adds to a parser."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


@pytest.mark.parametrize("text", list_texts("source"))
def test_environment_is_the_one_that_make_creates(text: str) -> None:
    assert text == "source .venv/bin/activate"
    assert "VENV := .venv\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
