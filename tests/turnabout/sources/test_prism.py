import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.sources.prism import Prism
from turnabout.sources.table.batches import Batch


def build_reply(
    content: str, score: float | None, *, chosen: bool = False, turn: int = 0, model: str = "m-1"
) -> dict[str, Any]:
    fields = {"model_provider": "p", "model_name": model, "score": score, "if_chosen": chosen, "within_turn_id": 0}
    return {"turn": turn, "role": "model", "content": content, **fields}


def build_question(content: str, turn: int = 0) -> dict[str, Any]:
    return {"turn": turn, "role": "user", "content": content}


HISTORY = [
    build_question("Is tea good?"),
    build_reply("Yes.", 30),
    build_reply("It depends.", 80, chosen=True, model="m-2"),
]
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


def read_batch(folder: Path, *lines: dict[str, Any]) -> Batch:
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = Prism(path=str(folder / "conversations.jsonl"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def test_chosen_reply_has_the_others_as_alternatives(tmp_path: Path) -> None:
    messages, rejected, *_ = read_batch(tmp_path, LINE)
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
    (batch,) = source.read_batches(source.list_pieces()[0])
    extras = [json.loads(row) for row in batch.messages["extras"]]
    of_json = read_batch(tmp_path, LINE).messages
    assert batch.messages.drop("extras").equals(of_json.drop("extras"))
    assert extras == [json.loads(row) for row in of_json["extras"]]


def test_every_turn_continues_from_the_chosen_reply(tmp_path: Path) -> None:
    later = [build_question("Green tea?", 1), build_reply("A.", 70, chosen=True, turn=1), build_reply("B.", 70, turn=1)]
    messages, *_ = read_batch(tmp_path, LINE | {"conversation_history": HISTORY + later})
    assert messages["text"].to_list() == ["Is tea good?", "It depends.", "Green tea?", "A."]
    assert messages["preferences"].to_list() == [None, [0.5], None, [0.0]]


def test_preference_is_null_when_a_score_is_missing(tmp_path: Path) -> None:
    unscored = [
        build_question("a"),
        build_reply("b", None, chosen=True),
        build_reply("c", 9),
        build_question("d", 1),
        build_reply("e", 5, chosen=True, turn=1),
    ]
    messages, *_ = read_batch(tmp_path, LINE | {"conversation_history": unscored})
    assert messages["preferences"].to_list() == [None, [None], None, None]
    assert messages["alternatives"].to_list() == [None, ["c"], None, None]


def test_empty_reply_becomes_empty_again(tmp_path: Path) -> None:
    history = [
        build_question("EMPTY STRING"),
        build_reply("EMPTY STRING", 1, chosen=True),
        build_reply("EMPTY STRING", 1),
    ]
    messages, *_ = read_batch(tmp_path, LINE | {"conversation_history": history})
    assert messages["text"].to_list() == ["EMPTY STRING", ""]
    assert messages["alternatives"][1].to_list() == [""]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": None}, "user_id: expected `str`, got `null`"),
        ({"conversation_history": []}, "conversation_history: has no message"),
        (
            {"conversation_history": [build_reply("a", 1), build_reply("b", 2)]},
            "conversation_history.if_chosen: 0 replies of one turn are chosen, must be one",
        ),
        (
            {"conversation_history": [build_reply("a", 1, chosen=True), build_reply("b", 2, chosen=True)]},
            "conversation_history.if_chosen: 2 replies of one turn are chosen, must be one",
        ),
        ({"conversation_history": [build_reply("a", 0)]}, "conversation_history.score: expected `float` >= 1.0"),
        ({"conversation_history": [build_reply("a", 101)]}, "conversation_history.score: expected `float` <= 100.0"),
        ({"generated_datetime": "yesterday"}, "generated_datetime: invalid RFC3339 encoded datetime"),
    ],
)
def test_line_with_a_wrong_field_is_rejected_with_its_name(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, LINE | change)
    assert messages.is_empty()
    assert rejected.select("record", "reason").rows() == [("conversations.jsonl:1", reason)]


def test_only_own_lines_are_recognised() -> None:
    assert Prism.recognises(LINE)
    assert not Prism.recognises({"conversation_id": "c", "conversation": []})
