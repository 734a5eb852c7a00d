"""Tests of the extraction and the refusal of chat templates."""

import re
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tests.chat_templates import apply_template
from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.models.chat_format import ChatFormat
from turnabout.models.chat_template import PLAIN_TEMPLATE, add_plain_template, extract_frame

TALK: list[Message] = [
    {"role": "system", "content": "You ask about tea."},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "yes?"},
    {"role": "assistant", "content": "still there?"},
    {"role": "user", "content": ""},
]


@pytest.fixture
def tokenizer(tiny_checkpoint: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def build_template(before: str, after: str = "<|im_end|>\\n", content: str = "m['content']") -> str:
    """Return a ChatML template with this footer.

    `before` is Jinja code in front of every message.
    """
    message = "{{ '<|im_start|>' + m['role'] + '\\n' + " + content + " + '" + after + "' }}"
    return "{% for m in messages %}" + before + message + "{% endfor %}"


def get_refusal(tokenizer: PreTrainedTokenizerBase, template: str | None) -> str:
    tokenizer.chat_template = template
    with pytest.raises(ModelError) as refused:
        ChatFormat.from_tokenizer(tokenizer)
    return str(refused.value)


def test_extract_frame_returns_opening_headers_and_footer(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.bos_token = "<s>"
    tokenizer.chat_template = "{{ bos_token }}" + build_template("")
    frame = extract_frame(tokenizer)
    headers = {role: f"<|im_start|>{role}\n" for role in ("system", "user", "assistant")}
    assert frame == ("<s>", "<s>", headers, "<|im_end|>\n")
    assert frame.render(TALK) == apply_template(tokenizer, TALK, tokenize=False)


def test_frame_includes_the_default_system_message(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    default = "{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}"
    tokenizer.chat_template = build_template("{% if loop.first and m['role'] != 'system' %}" + default + "{% endif %}")
    frame = extract_frame(tokenizer)
    assert frame.render(TALK[1:]).startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi")
    assert frame.render(TALK).startswith("<|im_start|>system\nYou ask about tea.")


def test_template_that_strips_messages_leaves_texts_unstripped(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = build_template("", content="(m['content'] | trim)")
    chat = ChatFormat.from_tokenizer(tokenizer)
    ids = chat.encode([{"role": "user", "content": " hi "}]).input_ids
    assert tokenizer.decode(ids) == "<|im_start|>user\n hi <|im_end|>\n"


def test_template_with_a_role_order_encodes_any_order(tokenizer: PreTrainedTokenizerBase) -> None:
    # Like Gemma's check, except for the system message: it concerns the messages after that one.
    check_order = (
        "{% if not loop.first and m['role'] == messages[loop.index0 - 1]['role'] %}"
        "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    )
    tokenizer.chat_template = build_template(check_order)
    chat = ChatFormat.from_tokenizer(tokenizer)
    tokenizer.chat_template = build_template("")
    assert tokenizer.decode(chat.encode(TALK).input_ids) == apply_template(tokenizer, TALK, tokenize=False)


REFUSED = {
    "none": (
        None,
        r"no chat template; use an instruction-tuned model, or give a base model one: .*add_plain_template",
    ),
    "a system message is an error (Gemma 1 and 2)": (
        build_template("{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"),
        r"refuses the roles \['system', 'user', .*System role not supported; set tokenizer.chat_template to one that",
    ),
    "the system message is inside the first user message (Gemma 3)": (
        "{% set system = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' %}"
        "{% for m in messages if m['role'] != 'system' %}"
        "{{ '<|im_start|>' + m['role'] + '\\n' + (system if loop.first else '') + m['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}",
        r"not prefix-stable: .* would give '<\|im_end\|>.*set tokenizer.chat_template to one that writes a message in",
    ),
    "only the last reply shows its thinking (Qwen 3)": (
        build_template(
            "", content="('<think></think>' if loop.last and m['role'] == 'assistant' else '') + m['content']"
        ),
        r"not prefix-stable: .* it writes '<think></think>word 4.* would give 'word 4",
    ),
    "something follows the last message": (
        build_template("") + "{{ '!' }}",
        r"not prefix-stable: .* it writes '<\|im_start\|>user\\nword 1.* would give '!",
    ),
    "earlier messages are shortened": (
        build_template("", content="(m['content'] if loop.last else '…')"),
        r"changes or drops message contents; set tokenizer.chat_template to one that writes them unchanged",
    ),
    "the date of today (Llama 3.2)": (
        "{% set today = strftime_now('%d %b %Y') %}"
        + build_template("", content="(today if m['role'] == 'system' else '') + m['content']"),
        r"writes today's date, so .* set tokenizer.chat_template to one that has a fixed date or none",
    ),
    "a line break ends a message": (
        build_template("", after="\\n"),
        r"ends a message with '\\n', which is no control token; .* such as eos_token",
    ),
    "nothing ends a message": (build_template("", after=""), r"ends a message with '', which is no control token"),
}


@pytest.mark.parametrize(("template", "message"), REFUSED.values(), ids=REFUSED)
def test_unsuitable_template_is_refused_with_a_remedy(
    tokenizer: PreTrainedTokenizerBase, template: str | None, message: str
) -> None:
    assert re.search(message, get_refusal(tokenizer, template), re.DOTALL)


def test_unknown_role_is_an_error_with_the_known_roles(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ModelError, match=r"role 'tool' .*\['assistant', 'system', 'user'\]"):
        extract_frame(tokenizer).get_header("tool")


def test_plain_template_ends_turns_with_the_end_of_text_token(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    tokenizer.chat_template = None
    tokenizer.bos_token = "<s>"
    add_plain_template(tokenizer).save_pretrained(tmp_path)
    chat = ChatFormat.from_tokenizer(AutoTokenizer.from_pretrained(tmp_path))
    assert chat.frame.render(TALK) == (
        "<s>System:\nYou ask about tea.<|im_end|>\nUser:\nhi<|im_end|>\nAssistant:\nyes?<|im_end|>\n"
        "Assistant:\nstill there?<|im_end|>\nUser:\n<|im_end|>\n"
    )
    assert chat.end_of_turn_id == tokenizer.eos_token_id
    assert chat.encode(TALK).input_ids == apply_template(chat.tokenizer, TALK, return_dict=True)["input_ids"]


def test_plain_template_works_without_a_bos_token(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = PLAIN_TEMPLATE
    assert tokenizer.bos_token is None
    written = apply_template(tokenizer, TALK[1:2], tokenize=False, add_generation_prompt=True)
    assert written == "User:\nhi<|im_end|>\nAssistant:\n"


def test_add_plain_template_keeps_an_existing_template(tokenizer: PreTrainedTokenizerBase) -> None:
    own = tokenizer.chat_template
    assert add_plain_template(tokenizer).chat_template == own


def test_tokenizer_without_an_end_of_text_token_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = tokenizer.eos_token = None
    with pytest.raises(ModelError, match=r"no end-of-text token to end turns with; set tokenizer\.eos_token"):
        add_plain_template(tokenizer)
