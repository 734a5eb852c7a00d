import json
import random
from collections.abc import Callable

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from turnabout.scrubbing import scrub_messages
from turnabout.scrubbing.findings import find_personal_data
from turnabout.scrubbing.kinds import KINDS as ALL

KINDS = ["email", "url", "phone", "handle"]
Build = Callable[..., pl.DataFrame]


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("mail ann.b+x@mail.example.co.uk.", "mail <email_1>."),
        ("see https://example.com/a?b=c#d, ok", "see <url_1>, ok"),
        ("(www.example.com)", "(<url_1>)"),
        ("WWW.EXAMPLE.COM is it", "<url_1> is it"),
        ("http://ann@example.com/x", "<url_1>"),
        ("call +44 20 7946 0958 now", "call <phone_1> now"),
        ("call +41 (0)44 668 18 00", "call <phone_1>"),
        ("0041 44 668 18 00", "<phone_1>"),
        ("it is (555) 234-5678!", "it is <phone_1>!"),
        ("1-800-555-2345 or 555.234.5679", "<phone_1> or <phone_2>"),
        ("text me 5552345678", "text me <phone_1>"),
        ("at 555-1234.", "at <phone_1>."),
        ("06 12 34 56 78", "<phone_1>"),
        ("030/1234567", "<phone_1>"),
        ("insta @some.name_1.", "insta <handle_1>."),
        ("toot @ann@example.social", "toot <handle_1>"),
    ],
)
def test_scrub_messages_replaces_personal_data_by_typed_placeholders(messages: Build, text: str, scrubbed: str) -> None:
    assert scrub_messages(messages("c", text), KINDS).messages["text"].item() == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "in 2018, 2018-2019, on 2018-05-02, 01.02.2018 14:30 or 01/02/2018 25 people",
        "2018-05-02T19:38:15Z",
        "we won 3-2, then 21-19 21-17",
        "10 000 of 1,000,000 or 10 000 000",
        "$5552345678 or $1,234,567.00",
        "pi is 3.14159265358979 and 555.2345678",
        "between 500-1000 people from 09:00-17:00, 0900-1700",
        "1525289895 and 1714550400123",
        "720840be-e522-47ba-9e9f-143f66372673",
        "192.168.100.200 and 255.255.255.0",
        "ISBN 978-0-306-40615-7, 90210-1234",
        "1 2 3 4 5 6 7 8 9 10",
        "a @ home, r u @ byu, thanks@ @5pm !@#$%",
        "npm i @types/node",
        "bob@home",
        "http:// and www... or www...lol",
    ],
)
def test_scrub_messages_keeps_text_that_only_looks_like_personal_data(messages: Build, text: str) -> None:
    assert scrub_messages(messages("c", text), KINDS).messages["text"].item() == text


def test_placeholders_are_numbered_by_first_occurrence_in_a_conversation(messages: Build) -> None:
    log = pl.concat(
        [messages("a", "x@y.com, z@y.com", "Z@Y.com @zed", "(555) 234-5678", "555-234-5678"), messages("b", "z@y.com")]
    )
    scrubbed = scrub_messages(log, KINDS)
    assert scrubbed.messages["text"].to_list() == [
        "<email_1>, <email_2>",
        "<email_2> <handle_1>",
        "<phone_1>",
        "<phone_1>",
        "<email_1>",
    ]
    assert scrubbed.n_by_kind == {"email": 4, "url": 0, "phone": 2, "handle": 1}


def test_placeholders_are_numbered_by_message_order_not_by_row_order(messages: Build) -> None:
    log = messages("a", "x@y.com", "z@y.com").reverse()
    assert scrub_messages(log, KINDS).messages["text"].to_list() == ["<email_2>", "<email_1>"]


def test_scrub_messages_scrubs_every_text_and_keeps_extras_valid_json(messages: Build) -> None:
    extras = {"q": 'a "b" http://x.org\nbye', "n": 15552345678, "by": {"x@y.com": ["@ann", None]}}
    log = messages("a", "hi", "ok", edited_text="x@y.com", alternatives=["no", "@ann"], extras=json.dumps(extras))
    row = scrub_messages(log.tail(1), KINDS).messages.row(0, named=True)
    assert (row["text"], row["edited_text"], row["alternatives"]) == ("ok", "<email_1>", ["no", "<handle_1>"])
    alone = log.tail(1).with_columns(edited_text=pl.lit("ok"), extras=pl.lit("{}"))
    assert scrub_messages(alone, KINDS).n_by_kind["handle"] == 1
    assert json.loads(row["extras"]) == {
        "q": 'a "b" <url_1>\nbye',
        "n": 15552345678,
        "by": {"<email_1>": ["<handle_1>", None]},
    }


def test_scrub_messages_replaces_only_the_requested_kinds(messages: Build) -> None:
    log = messages("a", "x@y.com @ann www.y.com 555-234-5678")
    assert scrub_messages(log, ["handle"]).messages["text"].item() == "x@y.com <handle_1> www.y.com 555-234-5678"
    assert_frame_equal(scrub_messages(log, []).messages, log)


@pytest.mark.parametrize(
    ("kind", "scrubbed"), [("phone", ["hi", "a@b.com", "<phone_1>"]), ("email", ["hi", "<email_1>", "555-1234"])]
)
def test_scrub_messages_finds_one_kind_alone_with_and_without_digits(
    messages: Build, kind: str, scrubbed: list[str]
) -> None:
    assert scrub_messages(messages("c", "hi", "a@b.com", "555-1234"), [kind]).messages["text"].to_list() == scrubbed


def test_scrub_messages_is_idempotent(messages: Build) -> None:
    once = scrub_messages(messages("a", "x@y.com @ann www.y.com 555-234-5678 null", "plain"), KINDS)
    twice = scrub_messages(once.messages, KINDS)
    assert_frame_equal(twice.messages, once.messages)
    assert sum(twice.n_by_kind.values()) == 0


def test_scrub_messages_replaces_a_full_name_in_the_whole_conversation(messages: Build) -> None:
    log = pl.concat(
        [messages("a", "ask anna  kowalska", "I'm Anna Kowalska", "Anna left"), messages("b", "Anna Kowalska")]
    )
    texts = scrub_messages(log, ALL).messages["text"].to_list()
    assert texts == ["ask <name_1>", "I'm <name_1>", "Anna left", "Anna Kowalska"]


def test_scrub_messages_accepts_any_text_and_is_idempotent_on_it(messages: Build) -> None:
    draw = random.Random(1)
    parts = [
        "a@b.example",
        "+1 202-555-0143",
        "<email_1>",
        "name: Ann Lee",
        "I'm Ann Lee",
        "@ann",
        "://",
        "password=x9!q",
        "\0",
        "\n",
    ]
    parts += [
        "4111 1111 1111 1111",
        "203.0.113.9",
        "12 Rose Lane",
        " ",
        "-",
        "_",
        "<",
        ">",
        '"',
        "\\",
        "é",
        "七",
        "1",
        "u/annlee",
    ]
    texts = ["".join(draw.choices(parts, k=draw.randint(1, 9))) for _ in range(400)]
    once = scrub_messages(messages("c", *texts, extras='{"t": "\\ud800@b.example", "n": 1e999'), ALL)
    twice = scrub_messages(once.messages, ALL)
    assert_frame_equal(twice.messages, once.messages)
    assert sum(once.n_by_kind.values()) > 400


def test_triggers_match_every_text_with_a_finding(messages: Build) -> None:
    for text in [
        "Dr. Ann Lee",
        "call me Bo",
        "dob 1.2.1990",
        "rue de la Paix 3",
        "12 rue de la Paix",
        "pin: 4821",
        "ssn 123 45 6789",
    ]:
        n = len(find_personal_data(text, ALL))
        assert sum(scrub_messages(messages("c", text), ALL).n_by_kind.values()) == n, text


def test_scrub_messages_finds_values_behind_json_escapes(messages: Build) -> None:
    extras = scrub_messages(messages("c", "hi", extras='{"m": "ann\\u0040x.example"}'), ALL).messages["extras"].item()
    assert json.loads(extras) == {"m": "<email_1>"}
