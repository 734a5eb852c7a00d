"""What the cleaner drops, in which order and why, in any batches."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.cleaning.cleaner import MEMORIES, Clean, CleanedBatch, Cleaner, add_flag, prepare_batch
from turnabout.cleaning.contamination import EvaluationSet

Build = Callable[..., pl.DataFrame]

NOTHING = {name: schema.to_frame() for name, schema in MEMORIES.items()}


def make_settings(**changes: Any) -> Clean:
    """Return settings with everything off and `min_messages` 2, with changes."""
    off = dict.fromkeys(["max_conversations_per_person", "languages", "templates", "near_duplicates"])
    return Clean.model_validate(
        {"min_messages": 2, "scrub": [], "toxicity": False, "decontaminate": "none", **off, **changes}
    )


def clean(log: pl.DataFrame, settings: Clean) -> CleanedBatch:
    return Cleaner(settings, [], NOTHING).clean_batch(prepare_batch(log, settings))


def list_kept(log: pl.DataFrame, **changes: Any) -> list[str]:
    return clean(log, make_settings(**changes)).messages["conversation_id"].unique(maintain_order=True).to_list()


def test_add_flag_adds_a_flag_once_and_only_where_asked() -> None:
    schema = {"flags": pl.List(pl.String)}
    messages = pl.DataFrame({"flags": [None, ["redacted"], ["toxic"], None, ["a"]]}, schema=schema)
    flagged = add_flag(messages, "toxic", pl.Series([True, True, True, False, False]))
    assert flagged["flags"].to_list() == [["toxic"], ["redacted", "toxic"], ["toxic"], None, ["a"]]


def test_clean_batch_drops_empty_messages_and_renumbers_the_rest(messages: Build) -> None:
    log = pl.concat([messages("a", "hi", " \n", "still there?", "yes", None), messages("b", "hi", "yo")])
    cleaned = clean(log, make_settings())
    assert cleaned.messages.select("message_index", "text").rows() == [
        *[(0, "hi"), (1, "still there?"), (2, "yes")],
        *[(0, "hi"), (1, "yo")],
    ]
    assert cleaned.messages.schema["message_index"] == pl.Int32
    assert cleaned.quarantine.rows() == [
        ("test", "a:1", "empty message", " \n"),
        ("test", "a:4", "empty message", None),
    ]


@pytest.mark.parametrize(
    ("texts", "roles", "reason"),
    [
        (["hi"], ["user"], "fewer than 2 messages"),
        (["hi", ""], ["user", "assistant"], "fewer than 2 messages"),
        (["x", "y"], ["assistant", "tool"], "no user message"),
        (["x", "y"], ["system", "user"], "no assistant message"),
    ],
)
def test_clean_batch_quarantines_incomplete_conversations_with_the_reason(
    messages: Build, texts: list[str], roles: list[str], reason: str
) -> None:
    log = messages("a", *texts).with_columns(role=pl.Series(roles))
    cleaned = clean(log, make_settings())
    assert cleaned.messages.is_empty()
    assert cleaned.quarantine.filter(record="a").rows() == [("test", "a", reason, texts[0])]


def test_clean_batch_keeps_and_names_the_first_of_equal_conversations(messages: Build) -> None:
    log = pl.concat(
        [
            messages("c", "hi", "yo", user="ann"),
            messages("a", "hi", "yo", user="bob"),
            messages("b", "hi", "yo", user="cyd"),
            messages("d", "hi", "yo!", user="dan"),
        ]
    )
    cleaned = clean(log, make_settings())
    assert cleaned.messages["conversation_id"].unique(maintain_order=True).to_list() == ["c", "d"]
    assert cleaned.quarantine.rows() == [
        ("test", "a", "same messages as another conversation: c", "hi"),
        ("test", "b", "same messages as another conversation: c", "hi"),
    ]


@pytest.mark.parametrize("texts", [("yo", "hi"), ("hi", "yo", "yo", "hi"), ("hiyo", "!")])
def test_conversations_of_other_texts_order_or_length_are_no_duplicates(
    messages: Build, texts: tuple[str, ...]
) -> None:
    assert list_kept(pl.concat([messages("a", "hi", "yo"), messages("b", *texts)])) == ["a", "b"]


def test_conversations_of_other_roles_are_no_duplicates(messages: Build) -> None:
    other = messages("b", "hi", "yo").with_columns(role=pl.Series(["assistant", "user"]))
    assert list_kept(pl.concat([messages("a", "hi", "yo"), other])) == ["a", "b"]


def test_duplicates_are_compared_after_scrubbing(messages: Build) -> None:
    log = pl.concat([messages("a", "x@y.com", "yo"), messages("b", "z@y.com", "yo")])
    assert list_kept(log) == ["a", "b"]
    assert list_kept(log, scrub=["email"]) == ["a"]


def test_clean_batch_quarantines_near_duplicates_and_names_the_first(messages: Build) -> None:
    """The two conversations have a similarity of .74.

    22 words make 20 word 3-grams; if one word differs, 17 of 23 are shared.
    """
    text = (
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen {} eighteen"
    )
    log = pl.concat([messages(name, text.format(word), "so it is indeed") for name, word in [("b", "x"), ("a", "y")]])
    assert list_kept(log) == ["b", "a"]
    cleaned = clean(log, make_settings(near_duplicates=0.5))
    assert cleaned.quarantine.select("record", "reason").rows() == [
        ("a", "nearly the same messages as another conversation: b")
    ]


def test_person_cap_keeps_the_first_conversations_in_any_role(messages: Build) -> None:
    with_ann = messages("c", "3", "x", user="bob").with_columns(user_key=pl.coalesce("user_key", pl.lit("ann")))
    log = pl.concat(
        [
            messages("d", "1", "x", user="ann"),
            with_ann,
            messages("a", "2", "x", user="ann"),
            messages("b", "4", "x", user="bob"),
        ]
    )
    cleaned = clean(log, make_settings(max_conversations_per_person=2))
    assert cleaned.messages["conversation_id"].unique(maintain_order=True).to_list() == ["d", "c", "b"]
    assert cleaned.quarantine.select("record", "reason").rows() == [("a", "person has 2 earlier conversations: ann")]


def test_person_cap_ignores_messages_without_user_key(messages: Build) -> None:
    log = pl.concat([messages(name, name, "x").with_columns(user_key=pl.lit(None, pl.String)) for name in "abc"])
    assert list_kept(log, max_conversations_per_person=1) == ["a", "b", "c"]


def test_clean_batch_filters_by_language_and_evaluation_set_and_flags(messages: Build) -> None:
    french = "Bonjour, je voudrais savoir comment cuisiner une bonne soupe pour ma famille."
    english = "Hello, I would like to know how to cook a good soup for my family tonight."
    question = "which planet has the largest known number of moons orbiting around it today"
    log = pl.concat(
        [messages(name, text, "yo") for name, text in [("f", french), ("e", english), ("q", f"Tell me: {question}?")]]
    )
    on = make_settings(languages=["en"], toxicity=True)
    log = pl.concat([log, messages("t", "You are a stupid idiot and I hate you for this.", "yo")])
    cleaned = Cleaner(on, [EvaluationSet("quiz", [question])], NOTHING).clean_batch(prepare_batch(log, on))
    assert cleaned.quarantine.select("record", "reason").rows() == [
        ("f", "language not wanted: fr"),
        ("q", "text of an evaluation set: quiz"),
    ]
    assert cleaned.messages.filter(message_index=0).select("conversation_id", "language", "flags").rows() == [
        ("e", "en", None),
        ("t", "en", ["toxic"]),
    ]
    assert cleaned.tallies["flagged_by_kind"] == {"toxic": 1}


def test_clean_batch_returns_the_counts_of_the_batch(messages: Build) -> None:
    log = pl.concat([messages("b", "x@y.com", "yo", ""), messages("a", "x@y.com", "yo"), messages("c", "hi")])
    assert clean(log, make_settings(scrub=["email"])).tallies == {
        "totals": {"n_conversations_in": 3, "n_conversations": 1, "n_messages_in": 6, "n_messages": 2},
        "dropped_by_reason": {
            "empty message": 1,
            "fewer than 2 messages": 1,
            "same messages as another conversation": 1,
        },
        "scrubbed_by_kind": {"email": 2},
        "flagged_by_kind": {},
    }


@pytest.mark.parametrize("cut", [1, 2, 5, 8, 11])
def test_a_new_cleaner_with_stored_memories_continues_like_one_batch(messages: Build, cut: int) -> None:
    """Twelve conversations of four people, some repeated or nearly repeated."""
    opener = "Please write a short friendly letter to my landlord about the broken heating"
    texts = [f"{opener}." if n % 3 == 0 else f"{opener} in my room number {n // 2} please" for n in range(12)]
    talks = [messages(str(n), text, f"done {n % 5}", user="abcd"[n % 4]) for n, text in enumerate(texts)]
    on = make_settings(max_conversations_per_person=2, near_duplicates=0.9, templates=2, languages=[])
    whole = clean(pl.concat(talks), on)
    first = clean(pl.concat(talks[:cut]), on)
    second = Cleaner(on, [], first.memories).clean_batch(prepare_batch(pl.concat(talks[cut:]), on))
    assert 0 < whole.messages["conversation_id"].n_unique() < 12
    assert pl.concat([first.messages, second.messages]).equals(whole.messages)
    together = pl.concat([first.quarantine, second.quarantine])
    assert together.sort("record").equals(whole.quarantine.sort("record"))
    for name, rows in whole.memories.items():
        assert pl.concat([first.memories[name], second.memories[name]]).equals(rows)
