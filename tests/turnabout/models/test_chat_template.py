"""Chat templates of the kinds that models come with: taken apart, or refused with what to do."""

import re
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.models.chat_format import ChatFormat
from turnabout.models.chat_template import PLAIN_TEMPLATE, parse_template, add_plain_template

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


def each(before: str, after: str = "<|im_end|>\\n", content: str = "m['content']") -> str:
    """A ChatML template with Jinja in front of every message, and its footer."""
    message = "{{ '<|im_start|>' + m['role'] + '\\n' + " + content + " + '" + after + "' }}"
    return "{% for m in messages %}" + before + message + "{% endfor %}"


def refusal(tokenizer: PreTrainedTokenizerBase, template: str | None) -> str:
    tokenizer.chat_template = template
    with pytest.raises(ModelError) as refused:
        ChatFormat.from_tokenizer(tokenizer)
    return str(refused.value)


def test_a_template_is_an_opening_headers_and_a_footer(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.bos_token = "<s>"
    tokenizer.chat_template = "{{ bos_token }}" + each("")
    frame = parse_template(tokenizer)
    headers = {role: f"<|im_start|>{role}\n" for role in ("system", "user", "assistant")}
    assert frame == ("<s>", "<s>", headers, "<|im_end|>\n")
    assert frame.render(TALK) == tokenizer.apply_chat_template(TALK, tokenize=False)


def test_a_default_system_message_of_the_template_stands_where_none_is_given(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    default = "{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}"
    tokenizer.chat_template = each("{% if loop.first and m['role'] != 'system' %}" + default + "{% endif %}")
    frame = parse_template(tokenizer)
    assert frame.render(TALK[1:]).startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi")
    assert frame.render(TALK).startswith("<|im_start|>system\nYou ask about tea.")


def test_a_template_that_trims_messages_is_taken_and_words_stay_as_they_are(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = each("", content="(m['content'] | trim)")
    chat = ChatFormat.from_tokenizer(tokenizer)
    ids = chat.encode([{"role": "user", "content": " hi "}]).input_ids
    assert tokenizer.decode(ids) == "<|im_start|>user\n hi <|im_end|>\n"


def test_a_template_that_wants_roles_in_turn_is_taken_for_any_order(tokenizer: PreTrainedTokenizerBase) -> None:
    # As Gemma's, but for the system message: its check speaks of the messages after that.
    in_turn = (
        "{% if not loop.first and m['role'] == messages[loop.index0 - 1]['role'] %}"
        "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    )
    tokenizer.chat_template = each(in_turn)
    chat = ChatFormat.from_tokenizer(tokenizer)
    tokenizer.chat_template = each("")
    assert tokenizer.decode(chat.encode(TALK).input_ids) == tokenizer.apply_chat_template(TALK, tokenize=False)


REFUSED = {
    "none": (
        None,
        r"no chat template; use an instruction-tuned model, or give a base model one: .*add_plain_template",
    ),
    "a system message is an error (Gemma 1 and 2)": (
        each("{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"),
        r"refuses the roles \['system', 'user', .*System role not supported; set tokenizer.chat_template to one that",
    ),
    "the system message stands inside the first user message (Gemma 3)": (
        "{% set told = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' %}"
        "{% for m in messages if m['role'] != 'system' %}"
        "{{ '<|im_start|>' + m['role'] + '\\n' + (told if loop.first else '') + m['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}",
        r"not prefix-stable: .* would be '<\|im_end\|>.*set tokenizer.chat_template to one that writes a message the",
    ),
    "only the last reply shows its thinking (Qwen 3)": (
        each("", content="('<think></think>' if loop.last and m['role'] == 'assistant' else '') + m['content']"),
        r"not prefix-stable: .* it writes '<think></think>word 4.* would be 'word 4",
    ),
    "something follows the last message": (
        each("") + "{{ '!' }}",
        r"not prefix-stable: .* it writes '<\|im_start\|>user\\nword 1.* would be '!",
    ),
    "earlier messages are shortened": (
        each("", content="(m['content'] if loop.last else '…')"),
        r"changes or drops message contents; set tokenizer.chat_template to one that writes them as they are",
    ),
    "the date of today (Llama 3.2)": (
        "{% set today = strftime_now('%d %b %Y') %}"
        + each("", content="(today if m['role'] == 'system' else '') + m['content']"),
        r"writes today's date, so .* set tokenizer.chat_template to one that holds a fixed date or none",
    ),
    "a line break ends a message": (
        each("", after="\\n"),
        r"ends a message with '\\n', which is no control token; .* such as eos_token",
    ),
    "nothing ends a message": (each("", after=""), r"ends a message with '', which is no control token"),
}


@pytest.mark.parametrize(("template", "message"), REFUSED.values(), ids=REFUSED)
def test_templates_that_cannot_stand_for_a_sample_per_turn_are_refused_with_what_to_do(
    tokenizer: PreTrainedTokenizerBase, template: str | None, message: str
) -> None:
    assert re.search(message, refusal(tokenizer, template), re.DOTALL)


def test_an_unknown_role_is_named_with_the_known_ones(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ModelError, match=r"role 'tool' .*\['assistant', 'system', 'user'\]"):
        parse_template(tokenizer).get_header("tool")


def test_a_base_model_gets_a_plain_template_whose_turns_end_as_its_documents_did(
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
    assert chat.encode(TALK).input_ids == chat.tokenizer.apply_chat_template(TALK, return_dict=True)["input_ids"]


def test_the_plain_template_opens_a_reply_and_needs_no_token_that_begins_texts(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = PLAIN_TEMPLATE
    assert tokenizer.bos_token is None
    written = tokenizer.apply_chat_template(TALK[1:2], tokenize=False, add_generation_prompt=True)
    assert written == "User:\nhi<|im_end|>\nAssistant:\n"


def test_a_model_with_a_template_of_its_own_keeps_it(tokenizer: PreTrainedTokenizerBase) -> None:
    own = tokenizer.chat_template
    assert add_plain_template(tokenizer).chat_template == own


def test_a_base_model_without_an_end_of_text_token_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = tokenizer.eos_token = None
    with pytest.raises(ModelError, match=r"no end-of-text token to end turns with; set tokenizer\.eos_token"):
        add_plain_template(tokenizer)
