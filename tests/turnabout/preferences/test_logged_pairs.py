"""Pairs that people made themselves, on logs read by the sources and on hand-made ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.preferences import RuleContext
from turnabout.preferences.alternatives import Alternatives
from turnabout.preferences.edits import Edits
from turnabout.preferences.logged import LOGGED_PAIRS, find_logged_pairs
from turnabout.preferences.ratings import Ratings
from turnabout.sources import SOURCES

NO_FEEDBACK = schemas.FEEDBACK.to_frame()


def read(folder: Path, format: str, record: dict[str, Any]) -> pl.DataFrame:
    """The messages that a source makes of one record."""
    (folder / "log.jsonl").write_text(json.dumps(record))
    source = SOURCES[format](format=format, path=str(folder / "log.jsonl"))
    return pl.concat(batch.messages for piece in source.list_pieces() for batch in source.read_batches(piece))


def split(messages: pl.DataFrame, **others: str) -> pl.DataFrame:
    """Every conversation is a training one of its own person, but for those named."""
    ids = messages["conversation_id"].unique().sort()
    rows = [{"conversation_id": name, "user_key": f"by {name}", "split": others.get(name, "train")} for name in ids]
    return pl.DataFrame(rows, schema=schemas.SPLITS)


def told(pairs: pl.DataFrame) -> list[tuple[Any, ...]]:
    return pairs.select("chosen", "rejected", "margin", "weight", "reason").rows()


def test_a_correction_is_preferred_to_the_reply_it_corrects(tmp_path: Path) -> None:
    reply = {"role": "assistant", "content": "At ten.", "edited_text": "We open at nine, Monday to Friday."}
    messages = read(tmp_path, "openai", {"id": "c", "messages": [{"role": "user", "content": "Open when?"}, reply]})
    (pair,) = Edits().found(messages, split(messages), NO_FEEDBACK).to_dicts()
    assert (pair["chosen"], pair["rejected"]) == ("We open at nine, Monday to Friday.", "At ten.")
    assert (pair["weight"], pair["evidence"], pair["keep"]) == (0.8, "[edited the reply]", True)
    assert pair["prompt"] == [{"role": "user", "content": "Open when?"}]


@pytest.mark.parametrize("held", ["test", "excluded"])
def test_people_who_are_held_out_make_no_pairs(messages: Callable[..., pl.DataFrame], held: str) -> None:
    said = asked_again(messages, "help", "the second try", "and then?", "done").with_columns(
        rating=5.0, edited_text=pl.lit("another text")
    )
    assert find_logged_pairs(said, split(said), NO_FEEDBACK).height
    assert find_logged_pairs(said, split(said, c=held), NO_FEEDBACK).is_empty()


def test_an_edit_that_changes_next_to_nothing_teaches_nothing(messages: Callable[..., pl.DataFrame]) -> None:
    said = messages("c", "Open when?", "We open at nine o'clock")
    said = said.with_columns(edited_text=pl.when(role="assistant").then(pl.lit("We open at nine o'clock.")))
    assert told(Edits().found(said, split(said), NO_FEEDBACK))[0][-1] == "near-identical"


def test_the_dialogue_that_was_chosen_in_hh_beats_the_other(tmp_path: Path) -> None:
    before = "\n\nHuman: Name a fruit.\n\nAssistant: "
    messages = read(tmp_path, "hh", {"chosen": f"{before}Pear.", "rejected": f"{before}No."})
    assert told(Alternatives().found(messages, split(messages), NO_FEEDBACK)) == [("Pear.", "No.", 1.0, 0.9, None)]


def test_scores_side_by_side_in_prism_are_the_margin(tmp_path: Path) -> None:
    def reply(text: str, score: float, chosen: bool) -> dict[str, Any]:
        return {"turn": 0, "role": "model", "content": text, "score": score, "if_chosen": chosen}

    asked = {"turn": 0, "role": "user", "content": "Is tea good?"}
    history = [asked, reply("Yes.", 30, False), reply("It depends.", 80, True), reply("For whom?", 78, False)]
    messages = read(tmp_path, "prism", {"conversation_id": "c", "user_id": "u", "conversation_history": history})
    found = Alternatives(min_margin=0.1).found(messages, split(messages), NO_FEEDBACK)
    assert told(found) == [
        ("It depends.", "Yes.", 0.5, 0.9, None),
        ("It depends.", "For whom?", pytest.approx(0.02), 0.9, "small margin"),
    ]
    assert found["evidence"].to_list() == ["[preferred by 0.5]", "[preferred by 0.02]"]
    assert found["pair_id"].n_unique() == 2


def test_ranks_in_oasst_decide_also_against_the_reply_that_was_followed(tmp_path: Path) -> None:
    def node(role: str, text: str, rank: int | None, *replies: dict[str, Any]) -> dict[str, Any]:
        return {"message_id": text, "text": text, "role": role, "rank": rank, "replies": list(replies), "lang": "en"}

    thanked = node("assistant", "a fair reply", 1, node("prompter", "thanks", None))
    others = [node("assistant", "the best answer", 0), node("assistant", "nobody ranked me", None)]
    prompt = node("prompter", "help me", None, thanked, *others, node("assistant", "some noise", 2))
    messages = read(tmp_path, "oasst", {"message_tree_id": "t", "prompt": prompt, "tree_state": "ready_for_export"})
    assert told(Alternatives().found(messages, split(messages), NO_FEEDBACK)) == [
        ("the best answer", "a fair reply", 1.0, 0.9, None),
        ("a fair reply", "nobody ranked me", None, 0.9, "not compared"),
        ("a fair reply", "some noise", 1.0, 0.9, None),
    ]


def asked_again(messages: Callable[..., pl.DataFrame], *texts: str) -> pl.DataFrame:
    said = messages("c", *texts)
    others = pl.when(message_index=1).then(pl.lit(["a first try"]))
    return said.with_columns(alternatives=others)


def test_the_reply_that_somebody_went_on_from_beats_the_one_they_had_written_again(
    messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]
) -> None:
    said = asked_again(messages, "help", "the second try", "and then?", "done")
    regeneration = pl.DataFrame([signal("c", 1, category="regeneration")], schema=schemas.FEEDBACK)
    pairs = Alternatives().found(said, split(said), regeneration)
    assert told(pairs) == [("the second try", "a first try", None, 0.7, None)]
    assert pairs["evidence"].to_list() == ["and then?"]
    complaint = pl.DataFrame([signal("c", 1)], schema=schemas.FEEDBACK)
    assert told(Alternatives().found(said, split(said), complaint))[0][-1] == "complaint about the new reply"
    left = asked_again(messages, "help", "the second try")
    assert told(Alternatives().found(left, split(left), NO_FEEDBACK))[0][-1] == "nobody went on"


def test_a_tie_is_no_pair(messages: Callable[..., pl.DataFrame]) -> None:
    tie = asked_again(messages, "help", "the second try").with_columns(preferences=pl.lit([0.0]))
    assert told(Alternatives().found(tie, split(tie), NO_FEEDBACK))[0][-1] == "tie"


def rated(messages: Callable[..., pl.DataFrame], **replies: tuple[str, str, float]) -> pl.DataFrame:
    """One conversation per keyword: its prompt, its reply and the rating of that."""
    rating = pl.when(role="assistant")
    return pl.concat(
        messages(name, prompt, reply).with_columns(rating=rating.then(pl.lit(score)))
        for name, (prompt, reply, score) in replies.items()
    )


def test_the_best_rated_reply_to_a_prompt_meets_the_worst(messages: Callable[..., pl.DataFrame]) -> None:
    said = rated(
        messages,
        a=("Open when?", "no idea", 1.0),
        b=("open  WHEN?", "at nine", 5.0),
        c=("open when?", "ask the owner", 2.0),
        d=("open when?", "in the morning", 4.0),
        e=("open when?", "soon", 3.0),
        f=("closed when?", "at six", 5.0),
        g=("open when?", "seen by nobody in training", 1.0),
    )
    pairs = Ratings().found(said, split(said, g="test"), NO_FEEDBACK)
    assert told(pairs) == [("at nine", "no idea", 4.0, 1.0, None), ("in the morning", "ask the owner", 2.0, 1.0, None)]
    assert pairs["pair_id"].to_list() == ["ratings:b:1:a:1", "ratings:d:1:c:1"]
    assert pairs.select("r_chosen", "r_rejected", "evidence").row(0) == (5.0, 1.0, "[rated 5.0 and 1.0]")
    assert pairs["prompt"][0].to_list() == [{"role": "user", "content": "open  WHEN?"}]


def test_replies_of_other_splits_or_like_ratings_do_not_meet(messages: Callable[..., pl.DataFrame]) -> None:
    said = rated(messages, a=("hi", "yes", 1.0), b=("hi", "never", 5.0))
    assert Ratings().found(said, split(said, a="validation"), NO_FEEDBACK).is_empty()
    assert told(Ratings(min_margin=4.5).found(said, split(said), NO_FEEDBACK))[0][-1] == "small margin"


def test_all_that_people_made_is_one_table_with_whole_histories(messages: Callable[..., pl.DataFrame]) -> None:
    rating = rated(messages, a=("hi", "yes", 1.0), b=("hi", "never", 5.0))
    edit = messages("e", "Open when?", "At ten.").with_columns(
        edited_text=pl.when(role="assistant").then(pl.lit("At 9"))
    )
    said = pl.concat([rating, asked_again(messages, "help", "the second try", "and then?", "done"), edit])
    found = find_logged_pairs(said, split(said), NO_FEEDBACK)
    assert found.schema == LOGGED_PAIRS
    assert found["source"].to_list() == ["alternatives", "edits", "ratings"]
    nothing = find_logged_pairs(schemas.MESSAGES.to_frame(), schemas.SPLITS.to_frame(), NO_FEEDBACK)
    assert (nothing.height, nothing.schema) == (0, LOGGED_PAIRS)


def test_prompts_of_an_arm_are_cut_to_what_fits(
    material: Callable[..., RuleContext], messages: Callable[..., pl.DataFrame]
) -> None:
    said = messages("a", "an old question " * 9, "an answer", "Open when?", "At ten.")
    said = said.with_columns(edited_text=pl.when(message_index=3).then(pl.lit("We open at nine.")))
    (pair,) = Edits().build_pairs(material(messages=said, max_prompt_tokens=30)).to_dicts()
    assert [message["content"] for message in pair["prompt"]] == ["Open when?"]
    assert pair["rejected_prompt"] is None
