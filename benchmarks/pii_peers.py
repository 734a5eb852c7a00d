"""Spans of personal data that one peer finds.

Reads texts as a JSON list from standard input and writes `{"spans": …, "seconds": …}` to standard output.
`benchmarks.scrubbing` runs it with the interpreter of an environment that holds the peers; it imports nothing of ours.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

Finder = Callable[[str], Iterable[tuple[int, int, str]]]

KINDS = {
    "EMAIL_ADDRESS": "email", "EMAIL": "email", "PHONE_NUMBER": "phone", "PHONE": "phone", "CREDIT_CARD": "card",
    "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "URL": "url", "SSN": "national_id", "US_SSN": "national_id",
    "DOB": "birth_date", "DATE_TIME": "birth_date", "SOCIAL_SECURITY_NUMBER": "national_id", "CREDENTIAL": "secret",
    "TWITTER": "handle", "NAME": "name", "PERSON": "name",
}  # fmt: skip


def build_datafog_finder() -> Finder:
    """Return a finder that uses Datafog's regex engine."""
    from datafog.processing.text_processing.regex_annotator.regex_annotator import RegexAnnotator

    annotator = RegexAnnotator()

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((span.start, span.end, span.label) for span in annotator.annotate_with_spans(text)[1].spans)

    return find


def build_presidio_finder() -> Finder:
    """Return a finder that uses Presidio's pattern recognisers.

    It has no language model, which Presidio would need to find names.
    """
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        """A spaCy engine without a model."""

        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

    analyzer = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((result.start, result.end, result.entity_type) for result in analyzer.analyze(text, "en"))

    return find


def build_scrubadub_finder() -> Finder:
    """Return a finder that uses Scrubadub's default detectors."""
    from scrubadub import Scrubber

    scrubber = Scrubber()

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((filth.beg, filth.end, filth.type.upper()) for filth in scrubber.iter_filth(text))

    return find


def build_phonenumbers_finder() -> Finder:
    """Return a finder that uses the Python port of libphonenumber.

    It takes numbers without a country code as American.
    """
    from phonenumbers import PhoneNumberMatcher

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((match.start, match.end, "PHONE") for match in PhoneNumberMatcher(text, "US"))

    return find


PEERS = {
    "datafog": build_datafog_finder,
    "presidio": build_presidio_finder,
    "scrubadub": build_scrubadub_finder,
    "phonenumbers": build_phonenumbers_finder,
}


def main(peer: str, texts: list[str]) -> dict[str, Any]:
    """Return the spans that a peer finds, and the seconds it needs."""
    find = PEERS[peer]()
    list(find("warm up: ann@example.com"))
    began = time.perf_counter()
    findings = [list(find(text)) for text in texts]
    seconds = time.perf_counter() - began
    return {"spans": [rename_kinds(spans) for spans in findings], "seconds": seconds}


def rename_kinds(findings: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return findings with this project's names of kinds."""
    return [(start, end, KINDS.get(kind, kind)) for start, end, kind in findings]


if __name__ == "__main__":
    json.dump(main(sys.argv[1], json.load(sys.stdin)), sys.stdout)
