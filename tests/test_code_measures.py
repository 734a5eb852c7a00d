"""Limits of names, docstrings and calls in the whole repository (see `make measures`)."""

from pathlib import Path

import pytest

from tests.code_measures import MAX_FIRST_LINE, Measures, find_long_first_lines, find_retired_identifiers, measure_tree
from tests.source_tree import ROOT, list_python_files

CODE = list_python_files("src", "stages", "flows", "benchmarks", "examples")
TESTS = list_python_files("tests")


@pytest.fixture(scope="module")
def measures() -> Measures:
    return measure_tree(ROOT)


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=str)
def test_file_has_no_retired_identifier(path: Path) -> None:
    assert find_retired_identifiers(ROOT / path) == [], "use the noun for the value or the verb for the action"


@pytest.mark.parametrize("path", CODE, ids=str)
def test_docstrings_open_with_a_short_line(path: Path) -> None:
    assert find_long_first_lines(ROOT / path) == [], f"a first line is shorter than {MAX_FIRST_LINE} characters"


def test_most_function_names_have_several_words(measures: Measures) -> None:
    assert measures.one_word_functions < 0.20


def test_public_names_are_documented(measures: Measures) -> None:
    assert measures.undocumented == 0


def test_few_calls_pass_many_arguments_by_position(measures: Measures) -> None:
    assert measures.many_positional < 1


def test_few_comprehensions_are_nested(measures: Measures) -> None:
    assert measures.nested_comprehensions < 1.5


def test_imports_form_no_circle(measures: Measures) -> None:
    assert (measures.arrows_back, measures.n_circles) == (0, 0)
