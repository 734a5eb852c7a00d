"""Each kind by examples, of values and of text that only looks like them."""

import re
import time
from collections.abc import Callable, Iterable
from typing import get_args

import pytest

from turnabout.cleaning.cleaner import Clean
from turnabout.scrubbing.base import Span
from turnabout.scrubbing.conversation import ConversationScrubber
from turnabout.scrubbing.findings import find_personal_data
from turnabout.scrubbing.kinds import KINDS, national_id, phone


def find_values(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in find_personal_data(text, KINDS)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("url", "see postgres://ann:pw1@db.example/x now", "postgres://ann:pw1@db.example/x"),
        ("url", "[a](https://x.example/b_(c))", "https://x.example/b_(c)"),
        ("iban", "to DE89 3704 0044 0532 0130 00 BIC", "DE89 3704 0044 0532 0130 00"),
        ("card", "card 3782 822463 10005!", "3782 822463 10005"),
        ("ip", "from 203.0.113.9:80", "203.0.113.9"),
        ("ip", "at 2001:db8::1 ok", "2001:db8::1"),
        ("secret", "key ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
        ("secret", '{"password": "tulip-9"}', "tulip-9"),
        ("secret", "mot de passe : tulip-9", "tulip-9"),
        ("secret", "client_secret=0a1b2c3d4e5f6a7b&x=1", "0a1b2c3d4e5f6a7b"),
        ("secret", "-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----\nabc"),
        ("national_id", "ssn 123-45-6789", "123-45-6789"),
        ("national_id", "12345678Z", "12345678Z"),
        ("birth_date", "dob: 1990-02-03", "1990-02-03"),
        ("phone", "mi número es 612 345 678", "612 345 678"),
        ("address", "at 12 Rose Lane, Leeds LS1 4AB.", "12 Rose Lane, Leeds LS1 4AB"),
        ("address", "Lindenstraße 12, 10969 Berlin", "Lindenstraße 12, 10969 Berlin"),
        ("name", "my name is Anna de Vries and", "Anna de Vries"),
        ("name", "Best regards,\nAnna", "Anna"),
        ("name", "First name: Aisha", "Aisha"),
        ("name", "this is Ann Reed speaking", "Ann Reed"),
        ("name", "I'm Fred.", "Fred"),
        ("handle", "on reddit u/quiet_otter", "u/quiet_otter"),
    ],
)
def test_find_personal_data_returns_the_whole_value_and_its_kind(kind: str, text: str, value: str) -> None:
    assert find_values(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013001",  # checksum off by one
        "4111 1111 1111 1112, 1234 5678 9012 3456",  # fails Luhn; no network's prefix
        "version 10.20.30.40, 1.2.3.4-beta, Chrome/120.0.0.0, 192.168.0.10, 12:30:45, a::b",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "password: <your password>, token = tokenizer.encode(x), max_tokens: 4096, pwd=********",
        "000-12-3456 12345678A 91022812345",  # no such area; wrong check letter; wrong check digit
        "@property\ndef x(): ...\n@media print {}",
        "I'm German. I'm Looking for it. hey How are you. my name is not important",
        "Dear Customer, Thanks,\nThe Support Team",
        "it was released 2021-03-04",
        "12 ways to street",
    ],
)
def test_find_personal_data_ignores_text_that_only_looks_like_it(text: str) -> None:
    assert find_values(text) == []


def test_setting_scrub_accepts_every_kind() -> None:
    (kinds,) = get_args(Clean.model_fields["scrub"].annotation)
    assert set(get_args(kinds)) == set(KINDS)


def test_find_personal_data_keeps_the_longer_of_two_overlapping_values() -> None:
    assert find_values("https://x.example/?mail=ann@x.example") == [("url", "https://x.example/?mail=ann@x.example")]


@pytest.mark.parametrize("unit", ["@", "-", "7", "a.a.a.", "[(", "Aa ", '\\"', "my name is ", "x: <a@"])
def test_scrub_text_takes_linear_time_on_long_runs(unit: str) -> None:
    def measure_seconds(size: int) -> float:
        scrubber = ConversationScrubber({"ann lee"})
        scrubber.kinds = list(KINDS)
        start = time.thread_time()
        scrubber.scrub_text(unit * (size // len(unit)))
        return time.thread_time() - start

    small, large = measure_seconds(10_000), min(measure_seconds(40_000) for _ in range(3))
    assert large < 10 * small + 0.2  # four times the text: quadratic would be 16 times


NATIONAL = """
SSN|Social Security|social_security number|passport|Reisepass|passeport|pasaporte|passaporto|paszport|driver's license
driving licence|Führerschein|National Insurance|NHS|PESEL|CPF|BSN|burgerservicenummer|DNI|NIE|numéro de sécu|CURP
Aadhaar|personnummer|Steuer-ID|steuerid|tax id|tax_id|codice fiscale|AHV-Nr|national id|ID card|id_card
"""
PHONES = """
phone|telephone|phone no|phoneNumber|tel|mobile|Mobil|cell|fax|Handy|Telefon|TELÉFONO|móvil|téléphone|portable|telefono
cellulare|celular|telefone|WhatsApp|numer|call|call me|text|text me|dial|ring|reach me|my number|my no|my cell
mi número|llamame|llámame|chiamami|zadzwoń|ligue|appelez|bel me|mój numer
"""


@pytest.mark.parametrize(
    ("find", "pattern", "cues"),
    [(national_id.find_national_ids, national_id.AFTER_CUE, NATIONAL), (phone.find_phones, phone.AFTER_CUE, PHONES)],
    ids=["national_id", "phone"],
)
def test_find_accepts_every_cue_of_a_number_in_any_case(
    find: Callable[[str], Iterable[Span]], pattern: re.Pattern[str], cues: str
) -> None:
    texts = [f"{cue}: 3141592" for cue in cues.strip().replace("\n", "|").split("|")]
    texts += [text.upper() for text in texts]
    assert [text for text in texts if not pattern.search(text)] == []
    assert [text for text in texts if not list(find(text))] == []
