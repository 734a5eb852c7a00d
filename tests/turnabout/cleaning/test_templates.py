import polars as pl
import pytest

from turnabout.cleaning.templates import USES, Templates
from turnabout.errors import DataError

FRAME = "please act as a patient teacher and explain to me step by step how {} works"


def openers(*texts: str, people: list[str | None] | None = None) -> pl.DataFrame:
    """One conversation per text: the user's opener, then a reply."""
    rows = [
        (f"c{number}", role, said, user if role == "user" else None)
        for number, (text, user) in enumerate(zip(texts, people or [f"p{i}" for i in range(len(texts))], strict=True))
        for role, said in (("user", text), ("assistant", "sure"))
    ]
    return pl.DataFrame(rows, schema=["conversation_id", "role", "text", "user_key"], orient="row")


def flagged(state: Templates, log: pl.DataFrame) -> list[str]:
    return log.filter(state.judge(log))["text"].to_list()


def test_the_third_person_and_all_after_are_flagged() -> None:
    log = openers(*[FRAME.format("yeast")] * 5)
    assert Templates(3).judge(log).to_list() == [False, False] * 2 + [True, False] * 3


def test_one_person_as_often_as_they_like_makes_no_template() -> None:
    log = openers(*[FRAME.format("yeast")] * 5, people=["ann"] * 5)
    assert flagged(Templates(3), log) == []


@pytest.mark.parametrize("values", [("yeast", "a diesel engine", "the moon"), ("12", "'7'", "2024-05-01")])
def test_a_slot_may_hold_anything_while_twelve_words_at_one_end_are_fixed(values: tuple[str, ...]) -> None:
    log = openers(*[FRAME.format(value) for value in values])
    assert flagged(Templates(3), log) == [FRAME.format(values[2])]


def test_a_slot_at_the_start_is_found_by_the_end() -> None:
    end = "rewrite the text above so that a child of ten can read and enjoy it"
    log = openers(*[f"{start} {end}" for start in ("Snow fell.", "Our revenue grew", "A dog barked at us all night")])
    assert len(flagged(Templates(3), log)) == 1


@pytest.mark.parametrize(
    ("frame", "one", "other"),
    [
        ("summarise the report {} in three short sentences please", '"north"', '"all of the south"'),
        ("why does order {} still say that it is being packed", "4417", "A-9/b"),
        ("see {} and tell me what the author thinks of it", "<url_1>", "https://b.example/x"),
    ],
)
def test_numbers_quotations_links_and_placeholders_are_slots(frame: str, one: str, other: str) -> None:
    log = openers(frame.format(one), frame.format(other), frame.format("Anna"))
    assert flagged(Templates(2), log) == [frame.format(other)]


def test_what_everybody_says_is_no_template() -> None:
    log = openers(*["hi, can you help me please?"] * 9)
    assert flagged(Templates(2), log) == []


def test_only_the_first_user_message_is_judged() -> None:
    later = openers("hello", "hello").with_columns(role=pl.lit("user"), text=pl.lit(FRAME.format("yeast")))
    assert Templates(2).judge(later).to_list() == [False, False, True, False]


def test_strangers_without_a_key_count_one_a_conversation() -> None:
    log = openers(*[FRAME.format("yeast")] * 3, people=[None, None, None])
    assert len(flagged(Templates(3), log)) == 1


@pytest.mark.parametrize("size", [2, 6, 100])
def test_days_one_by_one_flag_what_one_go_flags(size: int) -> None:
    texts = [FRAME.format(f"thing {'abcdefg'[i % 7]}") if i % 3 else f"{FRAME} tonight" for i in range(40)]
    log = openers(*texts, people=[f"p{i % 11}" for i in range(40)])
    whole = Templates(4)
    expected = whole.judge(log)
    known = pl.DataFrame(schema=USES)
    parts = []
    for part in log.iter_slices(size):
        day = Templates(4, known)
        parts.append(day.judge(part))
        known = day.known()
    assert 0 < expected.sum() < 40
    assert pl.concat(parts).equals(expected)
    assert known.equals(whole.known())


def test_at_most_so_many_uses_are_stored_as_people_make_a_template() -> None:
    state = Templates(3)
    state.judge(openers(*[FRAME.format("yeast")] * 50))
    assert state.known().height == 2 * 3  # its first and its last 12 words


def test_openings_hashed_in_another_way_are_refused() -> None:
    known = pl.DataFrame([(1, 2, "older")], schema=USES, orient="row")
    with pytest.raises(DataError, match="hashed by \\['older'\\]"):
        Templates(3, known)
