import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.oasst import Oasst
from turnabout.sources.table.batches import Batch


def build_node(key: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a message whose role is the first letter of its key.

    p is prompter, a is assistant.
    """
    role = {"p": "prompter", "a": "assistant"}[key[0]]
    shared = {"message_id": key, "user_id": f"by-{key}", "text": f"text {key}", "role": role, "lang": "en"}
    return {**shared, "replies": list(replies), **fields}


def build_tree(prompt: dict[str, Any]) -> dict[str, Any]:
    return {"message_tree_id": prompt["message_id"], "tree_state": "ready_for_export", "prompt": prompt}


def flatten(message: dict[str, Any], tree_id: str, parent: str | None = None) -> list[dict[str, Any]]:
    """Return the messages of a tree, each before its answers.

    The release lists them in this order.
    """
    own = {name: value for name, value in message.items() if name != "replies"}
    own |= {"message_tree_id": tree_id, "parent_id": parent, "tree_state": "ready_for_export"}
    return [own, *(record for reply in message["replies"] for record in flatten(reply, tree_id, message["message_id"]))]


def read_batch(folder: Path, *records: dict[str, Any]) -> Batch:
    with gzip.open(folder / "log.trees.jsonl.gz", "wt") as log:
        log.write("\n".join(map(json.dumps, records)))
    source = Oasst(path=str(folder / "log.trees.jsonl.gz"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def group_by_conversation(batch: Batch) -> dict[str, list[tuple[Any, ...]]]:
    """Return the texts, alternatives and preferences of each conversation."""
    rows = batch.messages.select(
        "conversation_id", pl.col("text").str.strip_prefix("text "), "alternatives", "preferences"
    )
    return {
        str(key): part.rows()
        for (key,), part in rows.partition_by("conversation_id", as_dict=True, include_key=False).items()
    }


# The best-ranked reply a2 was answered twice, the worse a1 once, the unranked a3 never.
TREE = build_tree(
    build_node(
        "p1",
        build_node("a1", build_node("p2", build_node("a4")), rank=1),
        build_node("a2", build_node("p3"), build_node("p4", build_node("a5")), rank=0),
        build_node("a3"),
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


def test_tree_becomes_a_conversation_for_each_branch(tmp_path: Path) -> None:
    batch = read_batch(tmp_path, TREE)
    assert group_by_conversation(batch) == THREADS
    assert batch.quarantine.is_empty()


def test_every_message_stands_in_some_conversation(tmp_path: Path) -> None:
    messages = read_batch(tmp_path, TREE).messages
    texts = {*messages["text"], *messages["alternatives"].explode().drop_nulls()}
    assert texts == {f"text {key}" for key in ("p1", "p2", "p3", "p4", "a1", "a2", "a3", "a4", "a5")}


def test_flat_messages_give_the_conversations_of_the_nested_tree(tmp_path: Path) -> None:
    nested = read_batch(tmp_path, TREE, build_tree(build_node("p9", build_node("a9"))))
    records = [*flatten(TREE["prompt"], "p1"), *flatten(build_node("p9", build_node("a9")), "p9")]
    assert read_batch(tmp_path, *records).messages.equals(nested.messages)


def test_parquet_of_the_hub_gives_the_same_conversations(tmp_path: Path) -> None:
    """Read labels and emojis as parallel lists.

    The JSON lines have objects instead.
    """
    of_json = {
        "labels": {"spam": {"value": 0.0, "count": 3}, "quality": {"value": 0.75, "count": 3}},
        "emojis": {"+1": 2},
    }
    of_parquet = {
        "labels": {"name": ["spam", "quality"], "value": [0.0, 0.75], "count": [3, 3]},
        "emojis": {"name": ["+1"], "count": [2]},
    }
    records = flatten(build_node("p1", build_node("a1", **of_parquet)), "p1")
    pl.DataFrame(records, infer_schema_length=None).write_parquet(tmp_path / "train.parquet")
    source = Oasst(path=str(tmp_path / "*.parquet"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.quarantine.is_empty()
    assert batch.messages.equals(
        read_batch(tmp_path, *flatten(build_node("p1", build_node("a1", **of_json)), "p1")).messages
    )
    assert json.loads(batch.messages["extras"][1]) == {
        "message_id": "a1",
        "labels": {"spam": 0.0, "quality": 0.75},
        "emojis": {"+1": 2.0},
    }


def test_answered_reply_is_followed_before_a_better_ranked_one(tmp_path: Path) -> None:
    batch = read_batch(
        tmp_path,
        build_tree(
            build_node(
                "p1", build_node("a1", rank=0), build_node("a2", build_node("p2"), rank=1), build_node("a3", rank=1)
            )
        ),
    )
    assert group_by_conversation(batch) == {
        "oasst:p1": [("p1", None, None), ("a2", ["text a1", "text a3"], [-1.0, 0.0]), ("p2", None, None)]
    }


def test_people_of_both_roles_have_keys_and_models_have_none(tmp_path: Path) -> None:
    made = {"synthetic": True, "model_name": "m-1", "created_date": "2023-02-05T14:23:50.983374+00:00"}
    messages, *_ = read_batch(
        tmp_path, build_tree(build_node("p1", build_node("a1", build_node("p2"), **made), lang="pt-BR"))
    )
    assert messages.select("role", "user_key", "model", "language").rows() == [
        ("user", "by-p1", None, "pt"),
        ("assistant", None, "m-1", "pt"),
        ("user", "by-p2", None, "pt"),
    ]
    assert messages["at"].to_list() == [None, datetime(2023, 2, 5, 14, 23, 50, 983374, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"labels": {"toxicity": {"value": 0.5, "count": 1}}}, ["toxic"]),
        ({"labels": {"toxicity": {"value": 0.4, "count": 1}}}, []),
        ({"labels": {"humor": {"value": 1.0, "count": 1}}}, []),
        ({"labels": {"spam": {"value": 1.0, "count": 1}, "pii": {"value": 0.6, "count": 2}}}, ["pii", "spam"]),
        ({"labels": {"violence": None}, "detoxify": {"toxicity": 0.1, "insult": 0.9}}, ["toxic"]),
        ({"detoxify": None}, []),
    ],
)
def test_labels_and_detoxify_of_at_least_one_half_set_flags(
    tmp_path: Path, fields: dict[str, Any], flags: list[str]
) -> None:
    assert read_batch(tmp_path, build_tree(build_node("p1", **fields))).messages["flags"].to_list() == [flags]


def test_branch_names_the_messages_that_it_repeats(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, TREE)
    first = messages.filter(message_index=0)["extras"].to_list()
    assert [json.loads(extras)["conversation"] for extras in first] == [
        {"tree_state": "ready_for_export"},
        {"branch_of": "oasst:p1", "n_shared": 2},
        {"branch_of": "oasst:p1", "n_shared": 2},
    ]


DELETED = build_node(
    "p1",
    build_node("a1", build_node("p2", build_node("a4")), rank=0, deleted=True),
    build_node("a2", build_node("p3", deleted=True)),
)


def test_deleted_nested_messages_are_removed_and_counted(tmp_path: Path) -> None:
    batch = read_batch(tmp_path, build_tree(DELETED))
    assert group_by_conversation(batch) == {"oasst:p1": [("p1", None, None), ("a2", None, None)]}
    assert json.loads(batch.messages["extras"][0])["conversation"]["n_deleted"] == 4


def test_deleted_flat_messages_and_all_below_are_rejected(tmp_path: Path) -> None:
    batch = read_batch(tmp_path, *flatten(DELETED, "p1"))
    assert group_by_conversation(batch) == {"oasst:p1": [("p1", None, None), ("a2", None, None)]}
    astray = "parent_id: no such message beside it; the records of one tree must stand together"
    assert sorted(batch.quarantine.select("record", "reason").rows()) == [
        ("log.trees.jsonl.gz:2", "deleted"),
        ("log.trees.jsonl.gz:3", astray),
        ("log.trees.jsonl.gz:4", astray),
        ("log.trees.jsonl.gz:6", "deleted"),
    ]


def test_flat_message_apart_from_its_parent_is_rejected(tmp_path: Path) -> None:
    prompt, reply = flatten(build_node("p1", build_node("a1")), "p1")
    batch = read_batch(tmp_path, prompt, *flatten(build_node("p9"), "p9"), reply, {"neither": 1})
    assert list(group_by_conversation(batch)) == ["oasst:p1", "oasst:p9"]
    assert batch.quarantine["record"].to_list() == ["log.trees.jsonl.gz:3", "log.trees.jsonl.gz:4"]


def test_broken_repeated_and_cyclic_flat_messages_are_rejected(tmp_path: Path) -> None:
    prompt, reply = flatten(build_node("p1", build_node("a1")), "p1")
    ring = [reply | {"message_id": key, "parent_id": parent} for key, parent in (("a2", "a3"), ("a3", "a2"))]
    batch = read_batch(tmp_path, prompt, reply, reply, reply | {"text": None}, *ring)
    assert [row[0] for row in group_by_conversation(batch)["oasst:p1"]] == ["p1", "a1"]
    assert sorted(batch.quarantine.select("record", "reason").rows()) == [
        ("log.trees.jsonl.gz:3", "message_id: occurs earlier in the tree"),
        ("log.trees.jsonl.gz:4", "text: expected `str`, got `null`"),
        *[
            (
                f"log.trees.jsonl.gz:{line}",
                "parent_id: no such message beside it; the records of one tree must stand together",
            )
            for line in (5, 6)
        ],
    ]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (build_node("p1", deleted=True), "prompt: is deleted"),
        (build_node("p1", build_node("p2")), "role: prompter answers prompter"),
        (build_node("p1", build_node("a1", role="bot")), "prompt.replies.role: invalid enum value 'bot'"),
        (None, "prompt: expected `object`, got `null`"),
    ],
)
def test_unreadable_tree_is_rejected_whole(tmp_path: Path, prompt: Any, reason: str) -> None:
    batch = read_batch(tmp_path, {"message_tree_id": "p1", "tree_state": "ready_for_export", "prompt": prompt})
    assert batch.messages.is_empty()
    assert batch.quarantine["reason"].to_list() == [reason]


def test_unreadable_flat_tree_is_rejected_message_by_message(tmp_path: Path) -> None:
    batch = read_batch(tmp_path, *flatten(build_node("p1", build_node("a1", build_node("a2"))), "p1"))
    assert batch.messages.is_empty()
    assert batch.quarantine["reason"].to_list() == ["role: assistant answers assistant"] * 3


def test_only_trees_and_their_messages_are_recognised() -> None:
    assert Oasst.recognises(TREE)
    assert Oasst.recognises(flatten(TREE["prompt"], "p1")[0])
    assert not Oasst.recognises({"prompt": "a", "completion": "b"})
