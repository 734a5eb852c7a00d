import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.detection import suggest_format
from turnabout.sources.hh import HH
from turnabout.sources.table.batches import Batch

ASKED = "\n\nHuman: Name a fruit.\n\nAssistant:"
PAIR = {"chosen": f"{ASKED} Pear.", "rejected": f"{ASKED} No."}
ATTEMPT = {
    "min_harmlessness_score_transcript": -0.4,
    "num_params": 52000000000,
    "model_type": "rlhf",
    "transcript": "\n\nHuman: Be rude.\n\nAssistant: I would rather not.\n",
    "rating": 0.0,
    "task_description": "Get it to insult me",
    "task_description_harmlessness_score": 0.3,
    "red_team_member_id": 83,
    "is_upworker": False,
    "tags": None,
}


def read_batch(folder: Path, *rows: dict[str, Any]) -> Batch:
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = HH(path=str(folder / "log.jsonl"))
    (batch,) = source.read_batches(source.list_pieces()[0], suggest_format)
    return batch


def test_pair_becomes_chosen_dialogue_with_rejected_alternative(tmp_path: Path) -> None:
    """Compare the id with a hash from the command line.

    printf '[["user","Name a fruit."],["assistant","Pear."],["assistant","No."]]' | sha256sum
    """
    messages, rejected, *_ = read_batch(tmp_path, PAIR)
    key = "hh:f1b1e4bfb2a07966"
    wanted = ["conversation_id", "role", "text", "user_key", "alternatives", "preferences"]
    assert messages.select(wanted).rows() == [
        (key, "user", "Name a fruit.", f"conversation:{key}", None, None),
        (key, "assistant", "Pear.", None, ["No."], [1.0]),
    ]
    assert rejected.is_empty()


def test_parquet_gives_the_same_messages_as_json_lines(tmp_path: Path) -> None:
    pl.DataFrame([PAIR]).write_parquet(tmp_path / "train.parquet")
    source = HH(path=str(tmp_path / "*.parquet"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.equals(read_batch(tmp_path, PAIR).messages)


def test_other_rejected_reply_makes_another_conversation(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, PAIR, PAIR | {"rejected": f"{ASKED} Maybe."})
    assert messages["conversation_id"].n_unique() == 2


def test_last_reply_may_be_empty_and_texts_may_have_line_breaks(tmp_path: Path) -> None:
    chosen = "\n\nHuman: One\n\ntwo?\n\nAssistant: Human: no mark"
    messages, *_ = read_batch(tmp_path, {"chosen": chosen, "rejected": "\n\nHuman: One\n\ntwo?\n\nAssistant:"})
    assert messages["text"].to_list() == ["One\n\ntwo?", "Human: no mark"]
    assert messages["alternatives"].to_list() == [None, [""]]


def test_red_team_attempt_keeps_its_member_and_rates_no_reply(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, ATTEMPT)
    wanted = ["role", "text", "user_key", "model", "rating", "alternatives"]
    assert messages.select(wanted).rows() == [
        ("user", "Be rude.", "hh:83", "rlhf", None, None),
        ("assistant", "I would rather not.", None, "rlhf", None, None),
    ]
    measured = {name: ATTEMPT[name] for name in ("rating", "num_params", "is_upworker", "task_description")}
    scores = {name: ATTEMPT[name] for name in ATTEMPT if name.endswith("score") or "harmlessness" in name}
    assert json.loads(messages["extras"][0]) == {"conversation": measured | scores}


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ({"chosen": PAIR["chosen"]}, "record: object missing required field `rejected`"),
        ({"chosen": "Pear.", "rejected": "No."}, "chosen: expected a dialogue that begins with 'Human:'"),
        ({"chosen": PAIR["chosen"], "rejected": ""}, "rejected: expected a dialogue that begins with 'Human:'"),
        ({"chosen": PAIR["chosen"], "rejected": PAIR["chosen"]}, "rejected: is the same as chosen"),
        (
            {"chosen": PAIR["chosen"], "rejected": "\n\nHuman: Name two.\n\nAssistant: No."},
            "rejected: differs from chosen before its last reply",
        ),
        (
            {"chosen": PAIR["chosen"], "rejected": f"{PAIR['rejected']}\n\nHuman: Why?\n\nAssistant: So."},
            "rejected: differs from chosen before its last reply",
        ),
        (
            {"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: b"},
            "rejected: differs from chosen before its last reply",
        ),
        (ATTEMPT | {"rating": "high"}, "rating: expected `float | null`, got `str`"),
    ],
)
def test_pair_without_two_replies_to_one_history_is_rejected(tmp_path: Path, pair: dict[str, Any], reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, pair)
    assert messages.is_empty()
    assert [text.partition(";")[0] for text in rejected["reason"]] == [reason]


def test_only_own_records_are_recognised() -> None:
    assert HH.recognises(PAIR)
    assert HH.recognises(ATTEMPT)
    assert not HH.recognises({"chosen": "Pear.", "rejected": "No."})
    assert not HH.recognises({"chosen": [{"role": "user"}], "rejected": []})
