import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.sources.base import Batch
from turnabout.sources.prism import Prism


def reply(
    content: str, score: float | None, *, chosen: bool = False, turn: int = 0, model: str = "m-1"
) -> dict[str, Any]:
    told = {"model_provider": "p", "model_name": model, "score": score, "if_chosen": chosen, "within_turn_id": 0}
    return {"turn": turn, "role": "model", "content": content, **told}


def asked(content: str, turn: int = 0) -> dict[str, Any]:
    return {"turn": turn, "role": "user", "content": content}


HISTORY = [asked("Is tea good?"), reply("Yes.", 30), reply("It depends.", 80, chosen=True, model="m-2")]
LINE = {
    "conversation_id": "c7",
    "user_id": "user3",
    "conversation_type": "unguided",
    "opening_prompt": "Is tea good?",
    "conversation_turns": 1,
    "conversation_history": HISTORY,
    "performance_attributes": {"fluency": 90, "safety": None},
    "choice_attributes": {"fluency": 70},
    "open_feedback": "Honest enough.",
    "generated_datetime": "2023-12-01 09:30:00",
    "timing_duration_s": 61.5,
    "included_in_balanced_subset": True,
}


def read(folder: Path, *lines: dict[str, Any]) -> Batch:
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = Prism(path=str(folder / "conversations.jsonl"))
    (batch,) = source.batches(source.pieces()[0])
    return batch


def test_the_chosen_reply_is_said_and_the_others_are_its_alternatives(tmp_path: Path) -> None:
    messages, rejected = read(tmp_path, LINE)
    nothing = dict.fromkeys(schemas.MESSAGES)
    shared = {"conversation_id": "prism:c7", "source": "prism"}
    in_columns = ("conversation_id", "user_id", "opening_prompt", "conversation_history", "generated_datetime")
    of_line = {name: value for name, value in LINE.items() if name not in in_columns}
    assert [row | {"extras": json.loads(row["extras"])} for row in messages.to_dicts()] == [
        nothing
        | shared
        | {"message_index": 0, "role": "user", "text": "Is tea good?", "user_key": "prism:user3"}
        | {"at": datetime(2023, 12, 1, 9, 30, tzinfo=UTC), "extras": {"conversation": of_line}},
        nothing
        | shared
        | {"message_index": 1, "role": "assistant", "text": "It depends.", "model": "m-2", "rating": 80.0}
        | {"alternatives": ["Yes."], "preferences": [(80 - 30) / 100]}
        | {"extras": {"alternatives": [{"model": "m-1", "score": 30.0}]}},
    ]
    assert rejected.is_empty()


def test_parquet_gives_the_same_messages_as_json_lines(tmp_path: Path) -> None:
    pl.DataFrame([LINE]).write_parquet(tmp_path / "0000.parquet")
    source = Prism(path=str(tmp_path / "*.parquet"))
    (batch,) = source.batches(source.pieces()[0])
    extras = [json.loads(row) for row in batch.messages["extras"]]
    of_json = read(tmp_path, LINE).messages
    assert batch.messages.drop("extras").equals(of_json.drop("extras"))
    assert extras == [json.loads(row) for row in of_json["extras"]]


def test_every_turn_goes_on_from_its_chosen_reply(tmp_path: Path) -> None:
    later = [asked("Green tea?", 1), reply("A.", 70, chosen=True, turn=1), reply("B.", 70, turn=1)]
    messages, _ = read(tmp_path, LINE | {"conversation_history": HISTORY + later})
    assert messages["text"].to_list() == ["Is tea good?", "It depends.", "Green tea?", "A."]
    assert messages["preferences"].to_list() == [None, [0.5], None, [0.0]]


def test_nobody_compared_where_a_score_is_missing_and_a_turn_of_one_reply_has_no_alternative(tmp_path: Path) -> None:
    unscored = [
        asked("a"),
        reply("b", None, chosen=True),
        reply("c", 9),
        asked("d", 1),
        reply("e", 5, chosen=True, turn=1),
    ]
    messages, _ = read(tmp_path, LINE | {"conversation_history": unscored})
    assert messages["preferences"].to_list() == [None, [None], None, None]
    assert messages["alternatives"].to_list() == [None, ["c"], None, None]


def test_an_empty_reply_is_empty_again(tmp_path: Path) -> None:
    history = [asked("EMPTY STRING"), reply("EMPTY STRING", 1, chosen=True), reply("EMPTY STRING", 1)]
    messages, _ = read(tmp_path, LINE | {"conversation_history": history})
    assert messages["text"].to_list() == ["EMPTY STRING", ""]
    assert messages["alternatives"][1].to_list() == [""]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": None}, "user_id: expected `str`, got `null`"),
        ({"conversation_history": []}, "conversation_history: has no message"),
        (
            {"conversation_history": [reply("a", 1), reply("b", 2)]},
            "conversation_history.if_chosen: 0 replies of one turn are chosen, must be one",
        ),
        (
            {"conversation_history": [reply("a", 1, chosen=True), reply("b", 2, chosen=True)]},
            "conversation_history.if_chosen: 2 replies of one turn are chosen, must be one",
        ),
        ({"conversation_history": [reply("a", 0)]}, "conversation_history.score: expected `float` >= 1.0"),
        ({"conversation_history": [reply("a", 101)]}, "conversation_history.score: expected `float` <= 100.0"),
        ({"generated_datetime": "yesterday"}, "generated_datetime: invalid RFC3339 encoded datetime"),
    ],
)
def test_a_line_with_a_wrong_field_is_rejected_by_its_name(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    messages, rejected = read(tmp_path, LINE | change)
    assert messages.is_empty()
    assert rejected.select("record", "reason").rows() == [("conversations.jsonl:1", reason)]


def test_it_recognises_its_own_lines_alone() -> None:
    assert Prism.recognises(LINE)
    assert not Prism.recognises({"conversation_id": "c", "conversation": []})
