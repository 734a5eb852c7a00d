import json

from turnabout.scrubbing.conversation import ConversationScrubber
from turnabout.scrubbing.json_text import scrub_json


def scrub_content(content: str) -> str:
    scrubber = ConversationScrubber()
    scrubber.kinds = ["email", "phone", "secret", "name"]
    return scrub_json(content, scrubber.scrub_text, scrubber.scrub_number)


def test_scrub_json_keeps_the_bytes_of_unchanged_values() -> None:
    content = '{ "n":1.50, "id": 15552345678, "s" : "caf\\u00e9", "deep": ' + "[" * 5000 + "]" * 5000 + "}"
    assert scrub_content(content) == content


def test_scrub_json_replaces_numbers_only_under_a_key_of_their_kind() -> None:
    content = '{"user_phone": 15552345678, "ids": [15552345678], "at": 1714550400123}'
    assert json.loads(scrub_content(content)) == {"user_phone": "<phone_1>", "ids": [15552345678], "at": 1714550400123}


def test_scrub_json_uses_the_key_as_label_of_its_value() -> None:
    content = '{"password": "tulip-9", "first_name": "Aisha", "word": "tulip-9", "a@b.example": "Aisha"}'
    assert json.loads(scrub_content(content)) == {
        "password": "<secret_1>",
        "first_name": "<name_1>",
        "word": "tulip-9",
        "<email_1>": "Aisha",
    }


def test_scrub_json_accepts_broken_json_and_lone_surrogates() -> None:
    assert scrub_content('{"a": "x@y.example') == '{"a": "<email_1>"'
    assert scrub_content('["\\ud800 x@y.example"]') == '["\\ud800 <email_1>"]'
