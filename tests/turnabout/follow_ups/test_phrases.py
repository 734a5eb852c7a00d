"""The sets of follow-ups that ship."""

import pytest

from turnabout.errors import ConfigError
from turnabout.follow_ups.phrases import load_phrases, read_phrase_set, list_set_names


@pytest.mark.parametrize(("name", "most"), [("six_dimensions", 10), ("in_passing", 6)])
def test_every_dimension_gives_as_many_phrases_of_each_sign(name: str, most: int) -> None:
    few, all_of_them = load_phrases(1, name), load_phrases(most, name)
    assert (len(few.positive), len(few.negative)) == (6, 6)
    assert (len(all_of_them.positive), len(all_of_them.negative)) == (6 * most, 6 * most)
    assert set(few.positive) < set(all_of_them.positive)
    assert len({*all_of_them.positive, *all_of_them.negative}) == 12 * most  # none twice, none on both sides
    assert {len(texts) for each in read_phrase_set(name)[0].values() for texts in each.values()} == {most}


@pytest.mark.parametrize("wrong", [0, 11])
def test_more_phrases_than_there_are_is_refused(wrong: int) -> None:
    with pytest.raises(ConfigError, match=f"phrases_per_dimension: {wrong} came, .* allow 1 to 10"):
        load_phrases(wrong)


def test_an_unknown_set_is_named_with_those_there_are() -> None:
    assert {"six_dimensions", "in_passing"} <= set(list_set_names())
    with pytest.raises(ConfigError, match=r"'mine' is not one of .*in_passing.*six_dimensions"):
        load_phrases(1, "mine")
