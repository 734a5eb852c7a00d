from pathlib import Path

import polars as pl
import pytest

from turnabout.core.forgetting import append_people, is_forgotten, read_forgotten_people
from turnabout.errors import DataError


def test_a_person_is_added_once_and_only_as_a_hash() -> None:
    once = append_people("# people who left\n", ["ann"])
    assert once.startswith("# people who left\n")
    assert once.endswith(
        "\n49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1\n"
    )  # printf ann | sha256sum
    assert append_people(once, ["ann", "ann"]) == once
    noted = once.removesuffix("\n") + "  # asked on Monday\n"
    assert append_people(noted, ["ann"]) == noted


def test_comments_and_blank_lines_are_no_people(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(append_people("# a comment\n\n", ["ann"]) + "# another\n")
    assert len(read_forgotten_people(tmp_path / "list")) == 1
    assert read_forgotten_people(tmp_path / "absent") == frozenset()


def test_a_name_in_the_list_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\nann\n")
    with pytest.raises(DataError, match=r"list:2: 'ann' is not the SHA-256 .*`turnabout forget USER`"):
        read_forgotten_people(tmp_path / "list")


def test_a_writer_is_known_by_the_hash_alone() -> None:
    people = frozenset(append_people("", ["ann"]).split())
    assert is_forgotten(pl.Series(["ann", None, "bob", "Ann", "ann"]), people).to_list() == [True, *3 * [False], True]
    assert is_forgotten(pl.Series(["ann", None]), frozenset()).to_list() == [False, False]
