import polars as pl
import pytest

from turnabout.cleaning.templates import TEMPLATE_USES, TemplateIndex
from turnabout.errors import DataError

FRAME = "please act as a patient teacher and explain to me step by step how {} works"


def make_openers(*texts: str, people: list[str | None] | None = None) -> pl.DataFrame:
    """Return one conversation per text: the user's opener, then a reply."""
    users = people or [f"p{i}" for i in range(len(texts))]
    rows = []
    for number, (text, user) in enumerate(zip(texts, users, strict=True)):
        rows += [(f"c{number}", "user", text, user), (f"c{number}", "assistant", "sure", None)]
    return pl.DataFrame(rows, schema=["conversation_id", "role", "text", "user_key"], orient="row")


def list_flagged(state: TemplateIndex, log: pl.DataFrame) -> list[str]:
    return log.filter(state.flag_templates(log))["text"].to_list()


def test_flag_templates_flags_the_third_person_and_all_after() -> None:
    log = make_openers(*[FRAME.format("yeast")] * 5)
    assert TemplateIndex(3).flag_templates(log).to_list() == [False, False] * 2 + [True, False] * 3


def test_flag_templates_ignores_repeats_of_one_person() -> None:
    log = make_openers(*[FRAME.format("yeast")] * 5, people=["ann"] * 5)
    assert list_flagged(TemplateIndex(3), log) == []


@pytest.mark.parametrize("values", [("yeast", "a diesel engine", "the moon"), ("12", "'7'", "2024-05-01")])
def test_flag_templates_accepts_any_slot_beside_twelve_fixed_words(values: tuple[str, ...]) -> None:
    log = make_openers(*[FRAME.format(value) for value in values])
    assert list_flagged(TemplateIndex(3), log) == [FRAME.format(values[2])]


def test_flag_templates_compares_the_end_when_the_start_differs() -> None:
    end = "rewrite the text above so that a child of ten can read and enjoy it"
    log = make_openers(
        *[f"{start} {end}" for start in ("Snow fell.", "Our revenue grew", "A dog barked at us all night")]
    )
    assert len(list_flagged(TemplateIndex(3), log)) == 1


@pytest.mark.parametrize(
    ("frame", "one", "other"),
    [
        ("summarise the report {} in three short sentences please", '"north"', '"all of the south"'),
        ("why does order {} still say that it is being packed", "4417", "A-9/b"),
        ("see {} and tell me what the author thinks of it", "<url_1>", "https://b.example/x"),
    ],
)
def test_flag_templates_takes_numbers_quotes_and_links_as_slots(frame: str, one: str, other: str) -> None:
    log = make_openers(frame.format(one), frame.format(other), frame.format("Anna"))
    assert list_flagged(TemplateIndex(2), log) == [frame.format(other)]


def test_flag_templates_ignores_short_messages() -> None:
    log = make_openers(*["hi, can you help me please?"] * 9)
    assert list_flagged(TemplateIndex(2), log) == []


def test_flag_templates_flags_only_the_first_user_message() -> None:
    later = make_openers("hello", "hello").with_columns(role=pl.lit("user"), text=pl.lit(FRAME.format("yeast")))
    assert TemplateIndex(2).flag_templates(later).to_list() == [False, False, True, False]


def test_conversations_without_user_key_count_as_one_person_each() -> None:
    log = make_openers(*[FRAME.format("yeast")] * 3, people=[None, None, None])
    assert len(list_flagged(TemplateIndex(3), log)) == 1


@pytest.mark.parametrize("size", [2, 6, 100])
def test_batches_and_stored_uses_flag_the_same_as_one_batch(size: int) -> None:
    texts = [FRAME.format(f"thing {'abcdefg'[i % 7]}") if i % 3 else f"{FRAME} tonight" for i in range(40)]
    log = make_openers(*texts, people=[f"p{i % 11}" for i in range(40)])
    whole = TemplateIndex(4)
    expected = whole.flag_templates(log)
    known = pl.DataFrame(schema=TEMPLATE_USES)
    parts = []
    for part in log.iter_slices(size):
        day = TemplateIndex(4, known)
        parts.append(day.flag_templates(part))
        known = day.export_known()
    assert 0 < expected.sum() < 40
    assert pl.concat(parts).equals(expected)
    assert known.equals(whole.export_known())


def test_export_known_returns_at_most_min_people_uses_per_opening() -> None:
    state = TemplateIndex(3)
    state.flag_templates(make_openers(*[FRAME.format("yeast")] * 50))
    assert state.export_known().height == 2 * 3  # its first and its last 12 words


def test_index_refuses_openings_of_another_hash() -> None:
    known = pl.DataFrame([(1, 2, "older")], schema=TEMPLATE_USES, orient="row")
    with pytest.raises(DataError, match="hashed by \\['older'\\]"):
        TemplateIndex(3, known)
