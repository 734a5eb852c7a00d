"""Tests of prefixes in answers of models that cannot be prefilled."""

import pytest

from turnabout.core.messages import Message
from turnabout.generation.endpoint.forced_prefix import ask_for_prefix, force_prefix

OPENED = '{"reason": "'


@pytest.mark.parametrize(
    ("prefill", "answer", "expected"),
    [
        ("", "  Yes. ", "Yes."),
        ("It is about", "It is about boats.", "It is about boats."),
        ("It is about", "it is  about boats.", "It is about boats."),
        ("It is about", "boats.", "It is about boats."),
        ("It is bad, because it", "It is bad because it leaks.", "It is bad, because it leaks."),
        ("It is about", '"It is about: boats', "It is about: boats"),
        ("It is about", "It is, above all, red.", "It is about It is, above all, red."),
        ("", "- Yes.", "- Yes."),
        ("- ", "- boats", "- boats"),
        ("- ", "boats", "- boats"),
        ("It is about", "", "It is about"),
        (OPENED, '{"reason": "wet", "label": 1}', '{"reason": "wet", "label": 1}'),
        (OPENED, '{\n  "reason":"wet"}', '{"reason": "wet"}'),
        (OPENED, '```json\n{ "reason": "wet"}', '{"reason": "wet"}'),
        (OPENED, 'wet", "label": 1}', '{"reason": "wet", "label": 1}'),
        (OPENED, '{"label": 1, "reason": "wet"}', '{"label": 1, "reason": "wet"}'),
    ],
)
def test_answer_begins_with_the_prefix(prefill: str, answer: str, expected: str) -> None:
    assert force_prefix(answer, prefill) == expected


def test_last_message_asks_for_the_prefix() -> None:
    prompt: list[Message] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is it about?"},
    ]
    messages = ask_for_prefix(prompt, "It is")
    assert messages[0] == prompt[0]
    assert messages[1]["content"] == "What is it about?\n\nYour answer must begin with exactly this: It is"
    assert prompt[1]["content"] == "What is it about?"
    assert ask_for_prefix(prompt, "") == prompt
