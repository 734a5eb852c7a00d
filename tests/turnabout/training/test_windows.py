"""Training rows of a conversation, counted by hand with the byte tokenizer.

A message of n ASCII characters costs n tokens, plus "<|im_start|>" and "<|im_end|>" (1 each), two line breaks and its
role: user n + 8, assistant n + 13, system n + 10. The end token (one token once it is in the vocabulary) costs a user
message of 1: 9.
"""

import pytest

from turnabout.training.user import with_end_token
from turnabout.training.windows import windows

TALK = {
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
    return with_end_token(tiny).chat


def text(chat, row):
    return chat.tokenizer.decode(row.input_ids)


def learnt(chat, row):
    return chat.tokenizer.decode([token for token, is_target in zip(*row, strict=True) if is_target])


def test_a_conversation_that_fits_is_one_row_with_the_users_words_as_targets(chat) -> None:
    # 11 + 12 + 17 + 12 + 17 + 9 = 78
    (row,), reasons = windows(chat, TALK, 78)
    assert text(chat, row) == HEAD + A + B + C + D + END
    assert learnt(chat, row) == "aaaa<|im_end|>cccc<|im_end|><|endconversation|><|im_end|>"
    assert len(row.input_ids) == 78
    assert reasons == []


def test_a_longer_one_is_cut_in_front_of_a_reply_and_only_the_last_row_ends(chat) -> None:
    # one token short: [intent, A, B, C] = 52, then [intent, D, end] = 37
    first, last = windows(chat, TALK, 77)[0]
    assert text(chat, first) == HEAD + A + B + C
    assert text(chat, last) == HEAD + D + END
    assert [len(first.input_ids), len(last.input_ids)] == [52, 37]
    assert learnt(chat, first) == "aaaa<|im_end|>cccc<|im_end|>"
    assert learnt(chat, last) == "<|endconversation|><|im_end|>"


def test_every_turn_alone_still_follows_the_reply_it_answers(chat) -> None:
    # [intent, A] = 23, [intent, B, C] = 40, [intent, D, end] = 37
    rows, reasons = windows(chat, TALK, 40)
    assert [text(chat, row) for row in rows] == [HEAD + A, HEAD + B + C, HEAD + D + END]
    assert reasons == []


def test_a_turn_that_never_fits_is_left_out_with_a_reason_and_cuts_the_conversation(chat) -> None:
    # at 39 tokens B + C (29 after an intent of 11) does not fit
    rows, reasons = windows(chat, TALK, 39)
    assert [text(chat, row) for row in rows] == [HEAD + A, HEAD + D + END]
    assert reasons == ["turn longer than max_length"]


def test_what_follows_the_last_user_turn_is_no_row_where_nobody_left(chat) -> None:
    (row,), _ = windows(chat, {**TALK, "ends": False}, 78)
    assert text(chat, row) == HEAD + A + B + C


def test_a_conversation_without_a_target_is_counted(chat) -> None:
    assert windows(chat, {**TALK, "target_indexes": []}, 78) == ([], ["conversation without a user turn"])
