import pytest

from turnabout.generation.endpoint.forced_prefix import force_prefix, ask_for_prefix

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
def test_an_answer_begins_as_it_must(prefill: str, answer: str, expected: str) -> None:
    assert force_prefix(answer, prefill) == expected


def test_the_last_message_says_how_to_begin_and_the_prompt_stays_as_it_is() -> None:
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it about?"}]
    asked = ask_for_prefix(prompt, "It is")
    assert asked[0] == prompt[0]
    assert asked[1]["content"] == "What is it about?\n\nYour answer must begin with exactly this: It is"
    assert prompt[1]["content"] == "What is it about?"
    assert ask_for_prefix(prompt, "") == prompt
