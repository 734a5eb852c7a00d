"""Contracts between dvc.yaml, stages/, params.yaml, README.md and the code."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.source_tree import ROOT, list_imported_files, list_required_files
from turnabout.params import Params
from turnabout.pipeline.repro import Stage, load_stage_graph
from turnabout.preferences import RULES

README = (ROOT / "README.md").read_text(encoding="utf-8")
STAGES: list[Stage] = [stage for _, stage in load_stage_graph(ROOT).nodes(data="stage")]
NAMES = [stage.name for stage in STAGES]


def get_script(stage: Stage) -> Path:
    match = re.match(r"python -m (stages)\.(\w+) ", stage.command)
    assert match, f"{stage.name}: '{stage.command}' does not run a script of stages/"
    return Path(match[1], f"{match[2]}.py")


def list_sections(stage: Stage) -> set[str]:
    return {key.partition(".")[0] for key in stage.params}


def find_used_sections(script: Path) -> set[str]:
    """Return the sections that a script reads from params.

    It may pass all of params to its own functions only.
    """
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    names = _find_params_names(nodes)
    taken = [node for node in nodes if isinstance(node, ast.Attribute) and _is_params(node.value, names)]
    own = {"load_params"} | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    foreign_calls = [call for call in calls if not (isinstance(call.func, ast.Name) and call.func.id in own)]
    passed = [ast.unparse(call) for call in foreign_calls if any(_is_params(argument, names) for argument in call.args)]
    assert not passed, f"{script}: hand over the sections that are needed, not all of params: {passed}"
    one_of = {"get_arm": "arms", "get_user_arm": "user_arms"}  # `.get_arm(name)` reads one of `.arms`
    return {one_of.get(node.attr, node.attr) for node in taken}


def _find_params_names(nodes: list[ast.AST]) -> set[str]:
    """Return the names of variables and arguments that hold `Params`.

    They are assigned from `load_params(...)` or annotated `Params`.
    """
    assigned = [node for node in nodes if isinstance(node, ast.Assign) and _is_params(node.value, set())]
    arguments = [node for node in nodes if isinstance(node, ast.arg) and node.annotation is not None]
    targets = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    return targets | {node.arg for node in arguments if node.annotation and ast.unparse(node.annotation) == "Params"}


def _is_params(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "load_params"
    return isinstance(node, ast.Name) and node.id in names


def list_covered_files(stage: Stage) -> set[Path]:
    """Return the Python files among a stage's dependencies.

    Files in its folders are included.
    """
    named = [ROOT / path for path in stage.deps if path.startswith(("src/", "stages/"))]
    assert all(path.exists() for path in named), f"{stage.name}: {[str(path) for path in named if not path.exists()]}"
    files = [file for path in named for file in (path.rglob("*") if path.is_dir() else [path])]
    return {file.relative_to(ROOT) for file in files if file.suffix == ".py"}


def test_stage_runs_the_script_with_its_name() -> None:
    differing = {stage.name: str(get_script(stage)) for stage in STAGES if not (ROOT / get_script(stage)).exists()}
    assert differing == {}
    assert {get_script(stage).stem for stage in STAGES} == {re.split("@|_untrained", name)[0] for name in NAMES}


def test_script_is_run_by_a_stage_or_imported_by_its_script() -> None:
    run = {get_script(stage) for stage in STAGES}
    serving = {file for script in run for file in list_imported_files(script)}
    scripts = {path.relative_to(ROOT) for path in (ROOT / "stages").glob("*.py") if path.name != "__init__.py"}
    assert scripts == run | {file for file in serving if file.parts[0] == "stages"}


def test_params_sections_are_exactly_those_that_stages_use() -> None:
    used = {section for stage in STAGES for section in list_sections(stage)}
    assert used == set(Params.model_fields)


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_script_reads_exactly_the_sections_that_its_stage_lists(stage: Stage) -> None:
    assert find_used_sections(get_script(stage)) == list_sections(stage), (
        f"correct the params of {stage.name} in dvc.yaml"
    )


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_stage_dependencies_cover_the_code_that_it_runs(stage: Stage) -> None:
    covered = list_covered_files(stage)
    missing = list_required_files(covered | {get_script(stage)}) - covered
    assert not missing, f"add to the deps of {stage.name} in dvc.yaml: {sorted(map(str, missing))}"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_build_pairs_dependencies_cover_every_pair_rule(rule: str) -> None:
    stage = next(stage for stage in STAGES if stage.name.startswith("build_pairs@"))
    own = Path("src/turnabout/preferences", f"{rule}.py")
    covered = list_covered_files(stage) - {own.with_stem(other) for other in RULES} | {own}
    missing = list_required_files({own}) - covered
    assert not missing, f"add to the deps of build_pairs in dvc.yaml: {sorted(map(str, missing))}"


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_paths_of_a_command_are_dependencies_or_outputs(stage: Stage) -> None:
    paths = re.findall(r"(?<= )(?:data|models|metrics|plots|report|ablations)/?[\w./]*", stage.command)
    folders_of_outs = {str(Path(out).parent) for out in stage.outs}
    known = {*stage.deps, *stage.outs, *folders_of_outs}
    assert [path for path in paths if path not in known] == []


def test_stage_has_a_description() -> None:
    assert [stage.name for stage in STAGES if not stage.desc] == []


def test_readme_names_every_stage() -> None:
    bases = {name.partition("@")[0] for name in NAMES}
    assert sorted(base for base in bases if not re.search(rf"`{base}(@|`)", README)) == []


def test_readme_tree_matches_the_repository() -> None:
    fenced = re.split(r"^\s*```.*$", README, flags=re.MULTILINE)[1::2]
    trees = [block for block in fenced if "src/turnabout/" in block]
    assert len(trees) == 1, "README.md needs one fenced tree"
    folders = {line.split("/")[0] for line in trees[0].splitlines() if re.match(r"[\w.]+/", line)}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert folders == {file.split("/")[0] for file in files if "/" in file and not file.startswith(".")}
