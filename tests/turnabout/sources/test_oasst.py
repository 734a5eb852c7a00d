import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.base import Batch
from turnabout.sources.oasst import Oasst


def node(key: str, *replies: dict[str, Any], **further: Any) -> dict[str, Any]:
    """A message whose author is the first letter of its key: p prompter, a assistant."""
    role = {"p": "prompter", "a": "assistant"}[key[0]]
    told = {"message_id": key, "user_id": f"by-{key}", "text": f"text {key}", "role": role, "lang": "en"}
    return {**told, "replies": list(replies), **further}


def tree(prompt: dict[str, Any]) -> dict[str, Any]:
    return {"message_tree_id": prompt["message_id"], "tree_state": "ready_for_export", "prompt": prompt}


def flat(message: dict[str, Any], tree_id: str, parent: str | None = None) -> list[dict[str, Any]]:
    """The messages of a tree, each before those that answer it, as the release lists them."""
    own = {name: value for name, value in message.items() if name != "replies"}
    own |= {"message_tree_id": tree_id, "parent_id": parent, "tree_state": "ready_for_export"}
    return [own, *(record for reply in message["replies"] for record in flat(reply, tree_id, message["message_id"]))]


def read(folder: Path, *records: dict[str, Any]) -> Batch:
    with gzip.open(folder / "log.trees.jsonl.gz", "wt") as log:
        log.write("\n".join(map(json.dumps, records)))
    source = Oasst(path=str(folder / "log.trees.jsonl.gz"))
    (batch,) = source.batches(source.pieces()[0])
    return batch


def told(batch: Batch) -> dict[str, list[tuple[Any, ...]]]:
    """Of each conversation its texts with their alternatives and preferences."""
    rows = batch.messages.select(
        "conversation_id", pl.col("text").str.strip_prefix("text "), "alternatives", "preferences"
    )
    return {
        str(key): part.rows()
        for (key,), part in rows.partition_by("conversation_id", as_dict=True, include_key=False).items()
    }


# The best-ranked reply a2 was answered twice, the worse a1 once, the unranked a3 never.
TREE = tree(
    node(
        "p1",
        node("a1", node("p2", node("a4")), rank=1),
        node("a2", node("p3"), node("p4", node("a5")), rank=0),
        node("a3"),
    )
)
THREADS = {
    "oasst:p1": [
        ("p1", None, None),
        ("a2", ["text a1", "text a3"], [1.0, None]),
        ("p4", None, None),
        ("a5", None, None),
    ],
    "oasst:p1:p2": [("p1", None, None), ("a1", None, None), ("p2", None, None), ("a4", None, None)],
    "oasst:p1:p3": [("p1", None, None), ("a2", None, None), ("p3", None, None)],
}


def test_a_tree_becomes_a_conversation_for_each_branch_and_siblings_are_compared_once(tmp_path: Path) -> None:
    batch = read(tmp_path, TREE)
    assert told(batch) == THREADS
    assert batch.quarantine.is_empty()


def test_every_message_stands_in_some_conversation_as_a_message_or_as_an_alternative(tmp_path: Path) -> None:
    messages = read(tmp_path, TREE).messages
    texts = {*messages["text"], *messages["alternatives"].explode().drop_nulls()}
    assert texts == {f"text {key}" for key in ("p1", "p2", "p3", "p4", "a1", "a2", "a3", "a4", "a5")}


def test_flat_messages_give_the_same_conversations_as_the_nested_tree(tmp_path: Path) -> None:
    nested = read(tmp_path, TREE, tree(node("p9", node("a9"))))
    records = [*flat(TREE["prompt"], "p1"), *flat(node("p9", node("a9")), "p9")]
    assert read(tmp_path, *records).messages.equals(nested.messages)


def test_the_parquet_of_the_hub_gives_the_same_conversations(tmp_path: Path) -> None:
    """Its labels and emojis are lists side by side, where the JSON lines have objects."""
    of_json = {
        "labels": {"spam": {"value": 0.0, "count": 3}, "quality": {"value": 0.75, "count": 3}},
        "emojis": {"+1": 2},
    }
    of_parquet = {
        "labels": {"name": ["spam", "quality"], "value": [0.0, 0.75], "count": [3, 3]},
        "emojis": {"name": ["+1"], "count": [2]},
    }
    records = flat(node("p1", node("a1", **of_parquet)), "p1")
    pl.DataFrame(records, infer_schema_length=None).write_parquet(tmp_path / "train.parquet")
    source = Oasst(path=str(tmp_path / "*.parquet"))
    (batch,) = source.batches(source.pieces()[0])
    assert batch.quarantine.is_empty()
    assert batch.messages.equals(read(tmp_path, *flat(node("p1", node("a1", **of_json)), "p1")).messages)
    assert json.loads(batch.messages["extras"][1]) == {
        "message_id": "a1",
        "labels": {"spam": 0.0, "quality": 0.75},
        "emojis": {"+1": 2.0},
    }


def test_a_reply_that_was_answered_is_followed_before_a_better_one_that_was_not(tmp_path: Path) -> None:
    batch = read(tmp_path, tree(node("p1", node("a1", rank=0), node("a2", node("p2"), rank=1), node("a3", rank=1))))
    assert told(batch) == {
        "oasst:p1": [("p1", None, None), ("a2", ["text a1", "text a3"], [-1.0, 0.0]), ("p2", None, None)]
    }


def test_people_of_both_roles_are_named_and_a_model_is_not(tmp_path: Path) -> None:
    made = {"synthetic": True, "model_name": "m-1", "created_date": "2023-02-05T14:23:50.983374+00:00"}
    messages, _ = read(tmp_path, tree(node("p1", node("a1", node("p2"), **made), lang="pt-BR")))
    assert messages.select("role", "user_key", "model", "language").rows() == [
        ("user", "by-p1", None, "pt"),
        ("assistant", None, "m-1", "pt"),
        ("user", "by-p2", None, "pt"),
    ]
    assert messages["at"].to_list() == [None, datetime(2023, 2, 5, 14, 23, 50, 983374, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("further", "flags"),
    [
        ({"labels": {"toxicity": {"value": 0.5, "count": 1}}}, ["toxic"]),
        ({"labels": {"toxicity": {"value": 0.4, "count": 1}}}, []),
        ({"labels": {"humor": {"value": 1.0, "count": 1}}}, []),
        ({"labels": {"spam": {"value": 1.0, "count": 1}, "pii": {"value": 0.6, "count": 2}}}, ["pii", "spam"]),
        ({"labels": {"violence": None}, "detoxify": {"toxicity": 0.1, "insult": 0.9}}, ["toxic"]),
        ({"detoxify": None}, []),
    ],
)
def test_labels_and_detoxify_of_one_half_or_more_flag_a_message(
    tmp_path: Path, further: dict[str, Any], flags: list[str]
) -> None:
    assert read(tmp_path, tree(node("p1", **further))).messages["flags"].to_list() == [flags]


def test_a_branch_says_what_it_repeats(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, TREE)
    first = messages.filter(message_index=0)["extras"].to_list()
    assert [json.loads(extras)["conversation"] for extras in first] == [
        {"tree_state": "ready_for_export"},
        {"branch_of": "oasst:p1", "n_shared": 2},
        {"branch_of": "oasst:p1", "n_shared": 2},
    ]


DELETED = node("p1", node("a1", node("p2", node("a4")), rank=0, deleted=True), node("a2", node("p3", deleted=True)))


def test_deleted_messages_of_a_nested_tree_are_left_out_with_what_answers_them_and_counted(tmp_path: Path) -> None:
    batch = read(tmp_path, tree(DELETED))
    assert told(batch) == {"oasst:p1": [("p1", None, None), ("a2", None, None)]}
    assert json.loads(batch.messages["extras"][0])["conversation"]["n_deleted"] == 4


def test_deleted_flat_messages_and_what_answers_them_are_rejected(tmp_path: Path) -> None:
    batch = read(tmp_path, *flat(DELETED, "p1"))
    assert told(batch) == {"oasst:p1": [("p1", None, None), ("a2", None, None)]}
    astray = "parent_id: no such message beside it; the records of one tree must stand together"
    assert sorted(batch.quarantine.select("record", "reason").rows()) == [
        ("log.trees.jsonl.gz:2", "deleted"),
        ("log.trees.jsonl.gz:3", astray),
        ("log.trees.jsonl.gz:4", astray),
        ("log.trees.jsonl.gz:6", "deleted"),
    ]


def test_a_flat_message_away_from_the_one_it_answers_is_rejected(tmp_path: Path) -> None:
    prompt, reply = flat(node("p1", node("a1")), "p1")
    batch = read(tmp_path, prompt, *flat(node("p9"), "p9"), reply, {"neither": 1})
    assert list(told(batch)) == ["oasst:p1", "oasst:p9"]
    assert batch.quarantine["record"].to_list() == ["log.trees.jsonl.gz:3", "log.trees.jsonl.gz:4"]


def test_each_flat_message_that_is_broken_twice_there_or_in_a_ring_is_rejected_alone(tmp_path: Path) -> None:
    prompt, reply = flat(node("p1", node("a1")), "p1")
    ring = [reply | {"message_id": key, "parent_id": parent} for key, parent in (("a2", "a3"), ("a3", "a2"))]
    batch = read(tmp_path, prompt, reply, reply, reply | {"text": None}, *ring)
    assert [row[0] for row in told(batch)["oasst:p1"]] == ["p1", "a1"]
    assert sorted(batch.quarantine.select("record", "reason").rows()) == [
        ("log.trees.jsonl.gz:3", "message_id: occurs earlier in the tree"),
        ("log.trees.jsonl.gz:4", "text: expected `str`, got `null`"),
        *[
            (
                f"log.trees.jsonl.gz:{at}",
                "parent_id: no such message beside it; the records of one tree must stand together",
            )
            for at in (5, 6)
        ],
    ]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (node("p1", deleted=True), "prompt: is deleted"),
        (node("p1", node("p2")), "role: prompter answers prompter"),
        (node("p1", node("a1", role="bot")), "prompt.replies.role: invalid enum value 'bot'"),
        (None, "prompt: expected `object`, got `null`"),
    ],
)
def test_a_tree_that_cannot_be_read_is_rejected_whole(tmp_path: Path, prompt: Any, reason: str) -> None:
    batch = read(tmp_path, {"message_tree_id": "p1", "tree_state": "ready_for_export", "prompt": prompt})
    assert batch.messages.is_empty()
    assert batch.quarantine["reason"].to_list() == [reason]


def test_a_flat_tree_that_cannot_be_read_is_rejected_message_by_message(tmp_path: Path) -> None:
    batch = read(tmp_path, *flat(node("p1", node("a1", node("a2"))), "p1"))
    assert batch.messages.is_empty()
    assert batch.quarantine["reason"].to_list() == ["role: assistant answers assistant"] * 3


def test_it_recognises_trees_and_their_messages_alone() -> None:
    assert Oasst.recognises(TREE)
    assert Oasst.recognises(flat(TREE["prompt"], "p1")[0])
    assert not Oasst.recognises({"prompt": "a", "completion": "b"})
