from pathlib import Path

import polars as pl
import pytest

from turnabout.core.forgetting import extended, forgotten_people, is_forgotten
from turnabout.errors import DataError


def test_a_person_is_added_once_and_only_as_a_hash() -> None:
    once = extended("# people who left\n", ["ann"])
    assert once.startswith("# people who left\n")
    assert once.endswith(
        "\n49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1\n"
    )  # printf ann | sha256sum
    assert extended(once, ["ann", "ann"]) == once
    noted = once.removesuffix("\n") + "  # asked on Monday\n"
    assert extended(noted, ["ann"]) == noted


def test_comments_and_blank_lines_are_no_people(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(extended("# a comment\n\n", ["ann"]) + "# another\n")
    assert len(forgotten_people(tmp_path / "list")) == 1
    assert forgotten_people(tmp_path / "absent") == frozenset()


def test_a_name_in_the_list_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\nann\n")
    with pytest.raises(DataError, match=r"list:2: 'ann' is no SHA-256 .*`turnabout forget USER`"):
        forgotten_people(tmp_path / "list")


def test_a_writer_is_known_by_the_hash_alone() -> None:
    people = frozenset(extended("", ["ann"]).split())
    assert is_forgotten(pl.Series(["ann", None, "bob", "Ann", "ann"]), people).to_list() == [True, *3 * [False], True]
    assert is_forgotten(pl.Series(["ann", None]), frozenset()).to_list() == [False, False]
