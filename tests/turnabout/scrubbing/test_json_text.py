import json

from turnabout.scrubbing.conversation import Conversation
from turnabout.scrubbing.json_text import scrub_json


def scrubbed(content: str) -> str:
    conversation = Conversation()
    conversation.kinds = ["email", "phone", "secret", "name"]
    return scrub_json(content, conversation.text, conversation.number)


def test_what_needs_no_change_keeps_its_bytes() -> None:
    content = '{ "n":1.50, "id": 15552345678, "s" : "caf\\u00e9", "deep": ' + "[" * 5000 + "]" * 5000 + "}"
    assert scrubbed(content) == content


def test_numbers_are_replaced_only_under_a_key_of_their_kind() -> None:
    content = '{"user_phone": 15552345678, "ids": [15552345678], "at": 1714550400123}'
    assert json.loads(scrubbed(content)) == {"user_phone": "<phone_1>", "ids": [15552345678], "at": 1714550400123}


def test_a_key_says_what_its_value_is() -> None:
    content = '{"password": "tulip-9", "first_name": "Aisha", "word": "tulip-9", "a@b.example": "Aisha"}'
    assert json.loads(scrubbed(content)) == {
        "password": "<secret_1>",
        "first_name": "<name_1>",
        "word": "tulip-9",
        "<email_1>": "Aisha",
    }


def test_broken_json_and_lone_surrogates_pass() -> None:
    assert scrubbed('{"a": "x@y.example') == '{"a": "<email_1>"'
    assert scrubbed('["\\ud800 x@y.example"]') == '["\\ud800 <email_1>"]'
