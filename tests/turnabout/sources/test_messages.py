import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.messages import Messages
from turnabout.sources.openai import OpenAI
from turnabout.sources.table.batches import Batch

TABLE = """conversation_id,role,text,at,user_id,rating,team
7,customer,"Is it open, today?",2024-05-01 08:00:00,ann,,shop
7,agent,Until six.,2024-05-01 08:00:09,,1,shop
8,user,Hello,,,,
8,assistant,"Hi,
there",,,,
"""


def read_batch(folder: Path, text: str, name: str = "log.csv", **entry: Any) -> Batch:
    (folder / name).write_text(text)
    source = Messages(path=str(folder / name), **entry)
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def test_rows_of_a_conversation_become_its_messages(tmp_path: Path) -> None:
    messages, rejected, *_ = read_batch(tmp_path, TABLE)
    wanted = ["conversation_id", "message_index", "role", "text", "at", "user_key", "rating", "extras"]
    at = datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert messages.select(wanted).rows() == [
        ("7", 0, "user", "Is it open, today?", at, "ann", None, '{"team": "shop"}'),
        ("7", 1, "assistant", "Until six.", at.replace(second=9), None, 1.0, '{"team": "shop"}'),
        ("8", 0, "user", "Hello", None, "conversation:8", None, "{}"),
        ("8", 1, "assistant", "Hi,\nthere", None, None, None, "{}"),
    ]
    assert rejected.is_empty()


def test_rows_keep_their_order_without_an_index(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, "conversation_id,role,text\n1,assistant,a\n1,user,b\n1,assistant,c\n1,user,d\n")
    assert messages["text"].to_list() == ["a", "b", "c", "d"]


def test_index_orders_rows_as_numbers(tmp_path: Path) -> None:
    rows = "".join(f"1,{('user', 'assistant')[n % 2]},m{n},{n}\n" for n in (10, 2, 9, 1))
    messages, *_ = read_batch(tmp_path, f"conversation_id,role,text,message_index\n{rows}")
    assert messages["text"].to_list() == ["m1", "m2", "m9", "m10"]


def test_columns_and_roles_may_have_other_names(tmp_path: Path) -> None:
    messages, *_ = read_batch(
        tmp_path,
        "chat,who,body\nc,guest,Hi\nc,Helper,Yo\n",
        columns={"conversation_id": "chat", "role": "who", "text": "body"},
        roles={"guest": "user", "helper": "assistant"},
    )
    assert messages.select("conversation_id", "role", "text").rows() == [("c", "user", "Hi"), ("c", "assistant", "Yo")]


def test_parquet_and_json_lines_give_the_same_messages(tmp_path: Path) -> None:
    rows = [{"conversation_id": "1", "role": role, "text": role} for role in ("user", "assistant")]
    pl.DataFrame(rows).write_parquet(tmp_path / "log.parquet")
    source = Messages(path=str(tmp_path / "log.parquet"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.equals(read_batch(tmp_path, "\n".join(map(json.dumps, rows)), "log.jsonl").messages)
    assert batch.messages["role"].to_list() == ["user", "assistant"]


@pytest.mark.parametrize(
    ("table", "reasons"),
    [
        (
            "1,user,a\n1,boss,b\n2,user,c\n",
            ["role: 'boss' is not known; say what it means in roles: {NAME: assistant}"] * 2,
        ),
        (",user,a\n2,user,c\n", ["conversation_id: expected a text or a whole number"]),
        ("1,,a\n2,user,c\n", ["role: null"]),
        ("1,user,a,more\n2,user,c\n", ["broken CSV: 4 cells, the header has 3"]),
    ],
)
def test_unreadable_row_rejects_only_its_conversation(tmp_path: Path, table: str, reasons: list[str]) -> None:
    messages, rejected, *_ = read_batch(tmp_path, f"conversation_id,role,text\n{table}")
    assert rejected["reason"].to_list() == reasons
    assert messages["text"].to_list() == ["c"]


def test_index_that_is_no_number_is_rejected(tmp_path: Path) -> None:
    rejected = read_batch(tmp_path, "conversation_id,role,text,message_index\n1,user,a,first\n").quarantine
    assert rejected["reason"].to_list() == ["message_index: expected a whole number"]


def test_reason_names_the_missing_column(tmp_path: Path) -> None:
    rejected = read_batch(tmp_path, "id,who,body\n1,user,a\n").quarantine
    assert rejected["reason"][0].startswith("conversation_id: missing; name the right column under columns")


def test_json_in_a_csv_cell_is_decoded_to_a_list(tmp_path: Path) -> None:
    spoken = [{"role": "user", "content": "[1] or {2}?"}, {"role": "assistant", "content": "Both."}]
    pl.DataFrame({"conversation_id": ["c"], "messages": [json.dumps(spoken)]}).write_csv(tmp_path / "log.csv")
    source = OpenAI(path=str(tmp_path / "log.csv"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.select("conversation_id", "text").rows() == [("c", "[1] or {2}?"), ("c", "Both.")]
    assert batch.quarantine.is_empty()
