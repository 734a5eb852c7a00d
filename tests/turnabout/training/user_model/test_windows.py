"""Training rows of a conversation, counted by hand with the byte tokenizer.

A message of n ASCII characters costs n tokens, plus "<|im_start|>" and "<|im_end|>" (1 each), two line breaks and its
role: user n + 8, assistant n + 13, system n + 10. The end token (one token once it is in the vocabulary) costs a user
message of 1: 9.
"""

import random
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.training.user_model.train import add_end_token
from turnabout.training.user_model.windows import cut_windows

TALK: dict[str, Any] = {
    "conversation_id": "a",
    "user_key": "ann",
    "split": "train",
    "intent": "I",  # 11 tokens
    "messages": [
        {"role": "user", "content": "aaaa"},  # 12
        {"role": "assistant", "content": "bbbb"},  # 17
        {"role": "user", "content": "cccc"},  # 12
        {"role": "assistant", "content": "dddd"},  # 17
    ],
    "target_indexes": [0, 2],
    "ends": True,
}
HEAD = "<|im_start|>system\nI<|im_end|>\n"
A, B = "<|im_start|>user\naaaa<|im_end|>\n", "<|im_start|>assistant\nbbbb<|im_end|>\n"
C, D = "<|im_start|>user\ncccc<|im_end|>\n", "<|im_start|>assistant\ndddd<|im_end|>\n"
END = "<|im_start|>user\n<|endconversation|><|im_end|>\n"


@pytest.fixture
def chat(tiny):
    return add_end_token(tiny).chat


def cut(chat, max_length, *conversations):
    rows, dropped = cut_windows(chat, pl.DataFrame(conversations, schema=schemas.USER_SAMPLES), max_length)
    return rows, dict(dropped)


def decode_row(chat, row):
    return chat.tokenizer.decode(row.input_ids)


def decode_targets(chat, row):
    return chat.tokenizer.decode([token for token, is_target in zip(*row, strict=True) if is_target])


def test_conversation_that_fits_is_one_row_with_user_turns_as_targets(chat) -> None:
    # 11 + 12 + 17 + 12 + 17 + 9 = 78
    (row,), dropped = cut(chat, 78, TALK)
    assert decode_row(chat, row) == HEAD + A + B + C + D + END
    assert decode_targets(chat, row) == "aaaa<|im_end|>cccc<|im_end|><|endconversation|><|im_end|>"
    assert len(row.input_ids) == 78
    assert dropped == {}


def test_long_conversation_is_cut_before_a_reply_and_ends_in_its_last_row(chat) -> None:
    # one token short: [intent, A, B, C] = 52; [intent, D, end] = 37 leaves 40: C (12) and B (17), but not A (12)
    first, last = cut(chat, 77, TALK)[0]
    assert decode_row(chat, first) == HEAD + A + B + C
    assert decode_row(chat, last) == HEAD + B + C + D + END
    assert [len(first.input_ids), len(last.input_ids)] == [52, 66]
    assert decode_targets(chat, first) == "aaaa<|im_end|>cccc<|im_end|>"
    assert decode_targets(chat, last) == "<|endconversation|><|im_end|>"


def test_row_with_spare_tokens_gets_earlier_messages_as_context(chat) -> None:
    # [intent, A] = 23 leaves too little for B + C (29); [intent, B, C] = 40 leaves 9, and A takes 12;
    # [intent, D, end] = 37 leaves the 12 that C takes
    rows, _ = cut(chat, 49, TALK)
    assert [decode_row(chat, row) for row in rows] == [HEAD + A, HEAD + B + C, HEAD + C + D + END]
    assert [decode_targets(chat, row) for row in rows] == [
        "aaaa<|im_end|>",
        "cccc<|im_end|>",
        "<|endconversation|><|im_end|>",
    ]


def test_single_turn_row_still_follows_the_reply_it_answers(chat) -> None:
    # [intent, A] = 23, [intent, B, C] = 40, [intent, D, end] = 37
    rows, dropped = cut(chat, 40, TALK)
    assert [decode_row(chat, row) for row in rows] == [HEAD + A, HEAD + B + C, HEAD + D + END]
    assert dropped == {}


def test_turn_that_fits_no_row_is_dropped_and_cuts_the_conversation(chat) -> None:
    # at 39 tokens B + C (29 after an intent of 11) does not fit
    rows, dropped = cut(chat, 39, TALK)
    assert [decode_row(chat, row) for row in rows] == [HEAD + A, HEAD + D + END]
    assert dropped == {"turn longer than max_length": 1}


def test_messages_after_the_last_user_turn_are_dropped_without_an_end(chat) -> None:
    (row,), _ = cut(chat, 78, {**TALK, "ends": False})
    assert decode_row(chat, row) == HEAD + A + B + C


def test_conversation_without_a_target_is_counted(chat) -> None:
    assert cut(chat, 78, {**TALK, "target_indexes": []}) == ([], {"conversation without a user turn": 1})


def test_rows_of_many_conversations_are_those_of_each_in_order(chat) -> None:
    other = {**TALK, "intent": "J", "messages": TALK["messages"][:1], "target_indexes": [0], "ends": False}
    rows, dropped = cut(chat, 39, TALK, other, TALK)
    assert rows == [*cut(chat, 39, TALK)[0], *cut(chat, 39, other)[0], *cut(chat, 39, TALK)[0]]
    assert dropped == {"turn longer than max_length": 2}


def build_random_conversation(rng, number):
    """Return a conversation with roles in any order and distinct messages.

    Its texts hold control tokens, as a person may type them.
    """
    pieces = ["", " ", "\n", "x", "né", "你好", "🙂", "<|im_start|>user\n", "<|im_end|>", END_OF_CONVERSATION]
    messages = [
        {"role": rng.choice(["user", "assistant"]), "content": f"{number}.{i}{''.join(rng.choices(pieces, k=3))}"}
        for i in range(rng.randint(1, 9))
    ]
    people = [i for i, message in enumerate(messages) if message["role"] == "user"]
    ends = messages[-1]["role"] == "assistant"
    return {**TALK, "intent": f"want {number}", "messages": messages, "target_indexes": people, "ends": ends}


def encode_plainly(chat, talk):
    """Return the row of an uncut conversation, up to the last target.

    `ChatFormat.encode` makes it.
    """
    if not talk["target_indexes"]:
        return []
    messages = talk["messages"] if talk["ends"] else talk["messages"][: talk["target_indexes"][-1] + 1]
    head = {"role": "system", "content": talk["intent"]}
    return [chat.encode([head, *messages], {i + 1 for i in talk["target_indexes"]}, talk["ends"])]


def test_uncut_rows_are_those_of_each_conversation_encoded_alone(chat) -> None:
    rng = random.Random(1)
    talks = [build_random_conversation(rng, number) for number in range(300)]  # more than are tokenised at a time
    rows, _ = cut(chat, 10_000, *talks)
    expected = []
    for talk in talks:
        expected += encode_plainly(chat, talk)
    assert rows == expected
    assert sum(chat.end_of_conversation_id in row.input_ids for row in rows) == sum(
        talk["ends"] and bool(talk["target_indexes"]) for talk in talks
    )


@pytest.mark.parametrize("max_length", [30, 60, 120])
def test_each_turn_is_a_target_once_directly_after_the_reply_it_answers(chat, max_length: int) -> None:
    rng = random.Random(2)
    for number in range(60):
        talk = build_random_conversation(rng, number)
        rows, dropped = cut(chat, max_length, talk)
        whole = "".join(decode_row(chat, row) for row in encode_plainly(chat, talk))
        assert all(len(row.input_ids) <= max_length for row in rows)
        parts = [decode_row(chat, row).removeprefix(f"<|im_start|>system\nwant {number}<|im_end|>\n") for row in rows]
        assert all(part in whole for part in parts)
        turns = list_target_turns(chat, rows)
        expected = list_target_turns(chat, encode_plainly(chat, talk))
        assert [turn for turn in expected if turn in turns] == turns
        assert len(expected) - len(turns) == dropped.get("turn longer than max_length", 0)


def list_target_turns(chat, rows):
    turns = []
    for row in rows:
        turns += decode_target_turns(chat, row)
    return turns


def decode_target_turns(chat, row):
    """Return the target turns of a row, each after the reply before it."""
    ids, turns = row.input_ids, []
    starts = [i for i, token in enumerate(ids) if token == ids[0]] + [len(ids)]
    for before, start, stop in zip(starts, starts[1:], starts[2:], strict=False):
        if any(row.is_target[start:stop]):
            before_turn = chat.tokenizer.decode(ids[before:start])
            reply = before_turn if before_turn.startswith("<|im_start|>assistant") else ""
            turns.append(reply + chat.tokenizer.decode(ids[start:stop]))
    return turns
