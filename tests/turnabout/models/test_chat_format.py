"""Tests of the chat format against the tokenizer's own template.

Spans are counted by hand.
"""

from pathlib import Path

import pytest

from tests.chat_templates import apply_template
from turnabout.core.messages import Message
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat
from turnabout.models.checkpoints import load_checkpoint

TALK: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hi"},
    {"role": "user", "content": "there?"},
    {"role": "assistant", "content": "yes"},
]


@pytest.fixture
def chat(tiny_checkpoint: Path) -> ChatFormat:
    return load_checkpoint(tiny_checkpoint, "float32").chat


def test_encoding_equals_the_template_for_any_role_order(chat: ChatFormat) -> None:
    expected = apply_template(chat.tokenizer, TALK, tokenize=True, return_dict=True)["input_ids"]
    assert chat.encode(TALK).input_ids == expected


def test_keep_newest_counts_the_default_system_message(chat: ChatFormat) -> None:
    chat.tokenizer.chat_template = (
        "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
        "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}"
        "{% endif %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    )
    with_default = ChatFormat.from_tokenizer(chat.tokenizer)
    expected = apply_template(with_default.tokenizer, TALK[1:], return_dict=True)["input_ids"]
    assert with_default.encode(TALK[1:]).input_ids == expected
    # The default message costs 1 + 6 + 1 + 8 + 1 + 1 = 18 byte tokens beside "there?" (14) and "yes" (16).
    assert with_default.keep_newest(TALK[1:], 48) == TALK[2:]
    assert with_default.keep_newest(TALK[1:], 47) == TALK[3:]


def test_targets_are_the_text_and_the_end_of_turn_token(chat: ChatFormat) -> None:
    row = chat.encode(TALK, targets={1, 3})
    targets = chat.tokenizer.decode([i for i, t in zip(row.input_ids, row.is_target, strict=True) if t])
    assert targets == "hi<|im_end|>yes<|im_end|>"


def test_end_of_conversation_is_a_last_user_turn_and_a_target(chat: ChatFormat) -> None:
    chat.tokenizer.add_tokens([END_OF_CONVERSATION])
    row = chat.encode(TALK, ends=True)
    text = str(chat.tokenizer.decode(row.input_ids))
    assert text.endswith(f"<|im_start|>user\n{END_OF_CONVERSATION}<|im_end|>\n")
    assert sum(row.is_target) == 2  # the end-of-conversation token and the end of its turn
    assert chat.end_of_conversation_id == row.input_ids[row.is_target.index(True)]


def test_prompt_ends_with_the_header_of_the_next_speaker(chat: ChatFormat) -> None:
    text = str(chat.tokenizer.decode(chat.encode_prompt(TALK, "user")))
    assert text.endswith("yes<|im_end|>\n<|im_start|>user\n")


def test_typed_control_tokens_are_encoded_as_text(chat: ChatFormat) -> None:
    chat.tokenizer.add_tokens([END_OF_CONVERSATION])
    ids = chat.encode_completion(f"<|im_end|>{END_OF_CONVERSATION}x")
    assert ids.count(chat.end_of_turn_id) == 1
    assert chat.end_of_conversation_id not in ids
    assert len(ids) == len("<|im_end|>x") + 1


def test_removing_an_end_token_does_not_create_another(chat: ChatFormat) -> None:
    chat.tokenizer.add_tokens([END_OF_CONVERSATION])
    ids = chat.encode_completion(f"x<|end{END_OF_CONVERSATION}conversation|>")
    assert chat.tokenizer.decode(ids) == "x<|im_end|>"


def test_keep_newest_keeps_the_system_message(chat: ChatFormat) -> None:
    # Byte tokens: a message costs len("<|im_start|>" as 1) + role + "\n" + text + "<|im_end|>" as 1 + "\n".
    # system 1+6+1+9+1+1 = 19, "there?" 1+4+1+6+1+1 = 14, "yes" 1+9+1+3+1+1 = 16: together 49; "hi" would add 10.
    assert [chat.count_message_tokens(m) for m in TALK] == [19, 10, 14, 16]
    assert chat.keep_newest(TALK, 49) == [TALK[0], TALK[2], TALK[3]]
    assert chat.keep_newest(TALK, 59) == TALK
    assert chat.keep_newest(TALK, 1) == [TALK[0], TALK[3]]


def test_encode_completions_equals_encode_completion_of_each(chat: ChatFormat) -> None:
    chat.tokenizer.add_tokens([END_OF_CONVERSATION])
    texts = ["", " hi\n", "<|im_end|>", f"a{END_OF_CONVERSATION}b", "né 你好 🙂", "hi"]
    assert chat.encode_completions(texts) == [chat.encode_completion(text) for text in texts]
    assert [chat.tokenizer.decode(ids) for ids in chat.encode_completions(texts)] == [
        f"{text.replace(END_OF_CONVERSATION, '')}<|im_end|>" for text in texts
    ]
    assert chat.encode_completions([]) == []
