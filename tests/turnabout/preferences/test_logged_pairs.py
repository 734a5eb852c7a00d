"""Pairs whose sides are both in the log, on read and hand-made logs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core import schemas
from turnabout.preferences.alternatives import Alternatives
from turnabout.preferences.edits import Edits
from turnabout.preferences.from_logs import LogRule
from turnabout.preferences.logged import LOGGED_PAIRS, find_logged_pairs
from turnabout.preferences.ratings import Ratings
from turnabout.sources import SOURCES

NO_FEEDBACK = schemas.FEEDBACK.to_frame()


def read_record(folder: Path, format: str, record: dict[str, Any]) -> pl.DataFrame:
    """Return the messages that a source reads from one record."""
    (folder / "log.jsonl").write_text(json.dumps(record))
    source = SOURCES[format].model_validate({"format": format, "path": str(folder / "log.jsonl")})
    return pl.concat(batch.messages for piece in source.list_pieces() for batch in source.read_batches(piece))


def assign_splits(messages: pl.DataFrame, **named: str) -> pl.DataFrame:
    """Put every conversation into train, unless its split is named.

    Each has a person of its own.
    """
    ids = messages["conversation_id"].unique().sort()
    rows = [{"conversation_id": name, "user_key": f"by {name}", "split": named.get(name, "train")} for name in ids]
    return pl.DataFrame(rows, schema=schemas.SPLITS)


def find_pairs(rule: LogRule, messages: pl.DataFrame, feedback: pl.DataFrame = NO_FEEDBACK) -> pl.DataFrame:
    """Return the rule's pairs of a log that is all train."""
    return rule.find_pairs(messages, assign_splits(messages), feedback)


def list_rows(pairs: pl.DataFrame) -> list[tuple[Any, ...]]:
    return pairs.select("chosen", "rejected", "margin", "weight", "reason").rows()


def test_edit_is_chosen_over_the_edited_reply(tmp_path: Path) -> None:
    reply = {"role": "assistant", "content": "At ten.", "edited_text": "We open at nine, Monday to Friday."}
    messages = read_record(
        tmp_path, "openai", {"id": "c", "messages": [{"role": "user", "content": "Open when?"}, reply]}
    )
    (pair,) = find_pairs(Edits(), messages).to_dicts()
    assert (pair["chosen"], pair["rejected"]) == ("We open at nine, Monday to Friday.", "At ten.")
    assert (pair["weight"], pair["evidence"], pair["keep"]) == (0.8, "[edited the reply]", True)
    assert pair["prompt"] == [{"role": "user", "content": "Open when?"}]


@pytest.mark.parametrize("held", ["test", "excluded"])
def test_held_out_people_give_no_pairs(messages: Callable[..., pl.DataFrame], held: str) -> None:
    log = add_regeneration(messages, "help", "the second try", "and then?", "done").with_columns(
        rating=5.0, edited_text=pl.lit("another text")
    )
    assert find_logged_pairs(log, assign_splits(log), NO_FEEDBACK).height
    assert find_logged_pairs(log, assign_splits(log, c=held), NO_FEEDBACK).is_empty()


def test_edit_that_changes_almost_nothing_is_near_identical(messages: Callable[..., pl.DataFrame]) -> None:
    log = messages("c", "Open when?", "We open at nine o'clock")
    log = log.with_columns(edited_text=pl.when(role="assistant").then(pl.lit("We open at nine o'clock.")))
    assert list_rows(find_pairs(Edits(), log))[0][-1] == "near-identical"


def test_hh_dialogue_prefers_the_chosen_reply(tmp_path: Path) -> None:
    before = "\n\nHuman: Name a fruit.\n\nAssistant: "
    messages = read_record(tmp_path, "hh", {"chosen": f"{before}Pear.", "rejected": f"{before}No."})
    assert list_rows(find_pairs(Alternatives(), messages)) == [("Pear.", "No.", 1.0, 0.9, None)]


def test_prism_scores_give_the_margin(tmp_path: Path) -> None:
    def reply(text: str, score: float, chosen: bool) -> dict[str, Any]:
        return {"turn": 0, "role": "model", "content": text, "score": score, "if_chosen": chosen}

    asked = {"turn": 0, "role": "user", "content": "Is tea good?"}
    history = [asked, reply("Yes.", 30, False), reply("It depends.", 80, True), reply("For whom?", 78, False)]
    messages = read_record(tmp_path, "prism", {"conversation_id": "c", "user_id": "u", "conversation_history": history})
    pairs = find_pairs(Alternatives(min_margin=0.1), messages)
    assert list_rows(pairs) == [
        ("It depends.", "Yes.", 0.5, 0.9, None),
        ("It depends.", "For whom?", pytest.approx(0.02), 0.9, "small margin"),
    ]
    assert pairs["evidence"].to_list() == ["[preferred by 0.5]", "[preferred by 0.02]"]
    assert pairs["pair_id"].n_unique() == 2


def test_oasst_ranks_decide_also_against_the_continued_reply(tmp_path: Path) -> None:
    def node(role: str, text: str, rank: int | None, *replies: dict[str, Any]) -> dict[str, Any]:
        return {"message_id": text, "text": text, "role": role, "rank": rank, "replies": list(replies), "lang": "en"}

    thanked = node("assistant", "a fair reply", 1, node("prompter", "thanks", None))
    siblings = [node("assistant", "the best answer", 0), node("assistant", "nobody ranked me", None)]
    prompt = node("prompter", "help me", None, thanked, *siblings, node("assistant", "some noise", 2))
    messages = read_record(
        tmp_path, "oasst", {"message_tree_id": "t", "prompt": prompt, "tree_state": "ready_for_export"}
    )
    assert list_rows(find_pairs(Alternatives(), messages)) == [
        ("the best answer", "a fair reply", 1.0, 0.9, None),
        ("a fair reply", "nobody ranked me", None, 0.9, "not compared"),
        ("a fair reply", "some noise", 1.0, 0.9, None),
    ]


def add_regeneration(messages: Callable[..., pl.DataFrame], *texts: str) -> pl.DataFrame:
    return messages("c", *texts).with_columns(alternatives=pl.when(message_index=1).then(pl.lit(["a first try"])))


def test_regeneration_prefers_the_reply_that_was_continued_from(
    messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]
) -> None:
    log = add_regeneration(messages, "help", "the second try", "and then?", "done")
    regeneration = pl.DataFrame([signal("c", 1, category="regeneration")], schema=schemas.FEEDBACK)
    pairs = find_pairs(Alternatives(), log, regeneration)
    assert list_rows(pairs) == [("the second try", "a first try", None, 0.7, None)]
    assert pairs["evidence"].to_list() == ["and then?"]
    complaint = pl.DataFrame([signal("c", 1)], schema=schemas.FEEDBACK)
    assert list_rows(find_pairs(Alternatives(), log, complaint))[0][-1] == "complaint about the new reply"
    log = add_regeneration(messages, "help", "the second try")
    assert list_rows(find_pairs(Alternatives(), log))[0][-1] == "nobody went on"


def test_tie_is_dropped(messages: Callable[..., pl.DataFrame]) -> None:
    tie = add_regeneration(messages, "help", "the second try").with_columns(preferences=pl.lit([0.0]))
    assert list_rows(find_pairs(Alternatives(), tie))[0][-1] == "tie"


def add_ratings(messages: Callable[..., pl.DataFrame], **replies: tuple[str, str, float]) -> pl.DataFrame:
    """Return one conversation per keyword: its prompt, reply and rating."""
    rating = pl.when(role="assistant")
    return pl.concat(
        messages(name, prompt, reply).with_columns(rating=rating.then(pl.lit(score)))
        for name, (prompt, reply, score) in replies.items()
    )


def test_best_rated_reply_to_a_prompt_is_matched_with_the_worst(messages: Callable[..., pl.DataFrame]) -> None:
    log = add_ratings(
        messages,
        a=("Open when?", "no idea", 1.0),
        b=("open  WHEN?", "at nine", 5.0),
        c=("open when?", "ask the owner", 2.0),
        d=("open when?", "in the morning", 4.0),
        e=("open when?", "soon", 3.0),
        f=("closed when?", "at six", 5.0),
        g=("open when?", "seen by nobody in training", 1.0),
    )
    pairs = Ratings().find_pairs(log, assign_splits(log, g="test"), NO_FEEDBACK)
    assert list_rows(pairs) == [
        ("at nine", "no idea", 4.0, 1.0, None),
        ("in the morning", "ask the owner", 2.0, 1.0, None),
    ]
    assert pairs["pair_id"].to_list() == ["ratings:b:1:a:1", "ratings:d:1:c:1"]
    assert pairs.select("r_chosen", "r_rejected", "evidence").row(0) == (5.0, 1.0, "[rated 5.0 and 1.0]")
    assert pairs["prompt"][0].to_list() == [{"role": "user", "content": "open  WHEN?"}]


def test_ratings_need_the_same_split_and_a_margin(messages: Callable[..., pl.DataFrame]) -> None:
    log = add_ratings(messages, a=("hi", "yes", 1.0), b=("hi", "never", 5.0))
    assert Ratings().find_pairs(log, assign_splits(log, a="validation"), NO_FEEDBACK).is_empty()
    assert list_rows(find_pairs(Ratings(min_margin=4.5), log))[0][-1] == "small margin"


def test_logged_pairs_are_one_table_with_whole_histories(messages: Callable[..., pl.DataFrame]) -> None:
    rating = add_ratings(messages, a=("hi", "yes", 1.0), b=("hi", "never", 5.0))
    edit = messages("e", "Open when?", "At ten.").with_columns(
        edited_text=pl.when(role="assistant").then(pl.lit("At 9"))
    )
    log = pl.concat([rating, add_regeneration(messages, "help", "the second try", "and then?", "done"), edit])
    pairs = find_logged_pairs(log, assign_splits(log), NO_FEEDBACK)
    assert pairs.schema == LOGGED_PAIRS
    assert pairs["source"].to_list() == ["alternatives", "edits", "ratings"]
    nothing = find_logged_pairs(schemas.MESSAGES.to_frame(), schemas.SPLITS.to_frame(), NO_FEEDBACK)
    assert (nothing.height, nothing.schema) == (0, LOGGED_PAIRS)


def test_arm_prompts_are_cut_to_the_maximum(make_context: MakeContext, messages: Callable[..., pl.DataFrame]) -> None:
    log = messages("a", "an old question " * 9, "an answer", "Open when?", "At ten.")
    log = log.with_columns(edited_text=pl.when(message_index=3).then(pl.lit("We open at nine.")))
    (pair,) = Edits().build_pairs(make_context(messages=log, max_prompt_tokens=30)).to_dicts()
    assert [message["content"] for message in pair["prompt"]] == ["Open when?"]
    assert pair["rejected_prompt"] is None
