"""Runs of words that two texts share."""

import pytest

from turnabout.text.shared_words import shares_word_run


def test_a_shared_run_must_be_as_long_as_said_and_unbroken() -> None:
    assert shares_word_run("a b c d", ["nothing", "x a b c d y"], 4)
    assert not shares_word_run("a b c d", ["a b x c d"], 4)
    assert not shares_word_run("a b c", ["a b c"], 4)


def test_the_run_stands_in_one_text_and_ends_with_its_words() -> None:
    assert not shares_word_run("a b c d", ["a b", "c d"], 4)
    assert not shares_word_run("a b c d", ["a b c done", "ma b c d"], 4)


@pytest.mark.parametrize("copied", ["A B, C – D!", "a  b\nc\td", "(a)b/c: «d»"])
def test_case_punctuation_and_white_space_hide_no_copy(copied: str) -> None:
    assert shares_word_run(copied, ["x a b c d"], 4)


def test_an_accented_letter_is_a_part_of_its_word() -> None:
    assert shares_word_run("पानी का नल ठीक", ["पानी का नल, ठीक करो"], 4)
    assert not shares_word_run("पानी का", ["पानी का"], 3)  # two words, although their marks are no letters


def test_where_no_spaces_are_written_a_character_is_a_word() -> None:
    assert shares_word_run("关于水龙头漏水的问题", ["我家的水龙头漏水，怎么办"], 5)
    assert not shares_word_run("关于水龙头漏水的问题", ["我家的水龙头坏了，漏水"], 5)
