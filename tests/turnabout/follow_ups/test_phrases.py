"""The sets of follow-ups that ship, and those of a project."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from turnabout.errors import ConfigError
from turnabout.follow_ups.phrases import list_set_names, load_phrases, read_phrase_set
from turnabout.preferences.follow_up import FollowUp


@pytest.mark.parametrize(("name", "n_phrases"), [("six_dimensions", 10), ("in_passing", 6)])
def test_every_dimension_has_as_many_phrases_of_each_sign(name: str, n_phrases: int) -> None:
    few, all_of_them = load_phrases(1, name), load_phrases(n_phrases, name)
    assert (len(few.positive), len(few.negative)) == (6, 6)
    assert (len(all_of_them.positive), len(all_of_them.negative)) == (6 * n_phrases, 6 * n_phrases)
    assert set(few.positive) < set(all_of_them.positive)
    assert len({*all_of_them.positive, *all_of_them.negative}) == 12 * n_phrases  # none twice, none on both sides
    assert {len(texts) for texts_by_sign in read_phrase_set(name)[0].values() for texts in texts_by_sign.values()} == {
        n_phrases
    }


@pytest.mark.parametrize("per_dimension", [0, 11])
def test_wrong_number_of_phrases_is_refused(per_dimension: int) -> None:
    with pytest.raises(ConfigError, match=f"phrases_per_dimension: {per_dimension} is not allowed; .* allow 1 to 10"):
        load_phrases(per_dimension)


def test_unknown_set_raises_with_the_names_of_the_sets() -> None:
    assert {"six_dimensions", "in_passing"} <= set(list_set_names())
    with pytest.raises(ConfigError, match=r"'mine' is not one of .*in_passing.*six_dimensions"):
        load_phrases(1, "mine")


OWN_SET = "version: 3\ndimensions: {tone: {positive: [nice, good], negative: [bad, poor]}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project's own sets; the project is the working directory."""
    (tmp_path / "follow_ups").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "follow_ups"


def test_set_of_the_project_is_one_of_the_sets(folder: Path) -> None:
    (folder / "ours.yaml").write_text(OWN_SET)
    assert list_set_names() == ["in_passing", "ours", "six_dimensions"]
    assert load_phrases(1, "ours") == (["nice"], ["bad"], 3)
    assert list_set_names(folder) == ["in_passing", "six_dimensions"]


def test_rule_names_the_sets_of_the_project_and_those_that_ship(folder: Path) -> None:
    (folder / "ours.yaml").write_text(OWN_SET)
    assert FollowUp(phrases="ours", phrases_per_dimension=2).phrases == "ours"
    with pytest.raises(ValidationError, match=r"'theirs' is not one of \['in_passing', 'ours', 'six_dimensions'\]"):
        FollowUp(phrases="theirs")
    with pytest.raises(ValidationError, match="10 is not allowed; the phrases of 'ours' allow 1 to 2"):
        FollowUp(phrases="ours")


def test_set_of_the_project_cannot_replace_one_that_ships(folder: Path) -> None:
    (folder / "six_dimensions.yaml").write_text(OWN_SET)
    with pytest.raises(ConfigError, match=r"six_dimensions\.yaml: a set that ships has this name; rename the file"):
        load_phrases(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: [", "ours.yaml: not YAML"),
        ("version: 1", "dimensions: Field required"),
        ("version: 1\ndimensions: {tone: {positive: [nice]}}", "dimensions.tone: .*at least 2 items"),
        ("version: 1\ndimensions: {tone: {positive: [nice], good: [bad]}}", "should be 'positive' or 'negative'"),
    ],
)
def test_mistake_in_a_set_is_reported(folder: Path, text: str, message: str) -> None:
    (folder / "ours.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_phrases(1, "ours")
