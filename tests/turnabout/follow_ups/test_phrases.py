"""The shipped sets of follow-ups."""

import pytest

from turnabout.errors import ConfigError
from turnabout.follow_ups.phrases import list_set_names, load_phrases, read_phrase_set


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
