"""Spans that one peer finds: texts as a JSON list on standard input, `{"spans": …, "seconds": …}` on standard output.

Run by `benchmarks.scrubbing` with the interpreter of an environment that holds the peers; imports nothing of ours.
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
    """Datafog's regex engine."""
    from datafog.processing.text_processing.regex_annotator.regex_annotator import RegexAnnotator

    annotator = RegexAnnotator()

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((span.start, span.end, span.label) for span in annotator.annotate_with_spans(text)[1].spans)

    return find


def build_presidio_finder() -> Finder:
    """Presidio's pattern recognisers, without a language model (its names come from one)."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

    analyzer = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((found.start, found.end, found.entity_type) for found in analyzer.analyze(text, "en"))

    return find


def build_scrubadub_finder() -> Finder:
    """Scrubadub's default detectors."""
    from scrubadub import Scrubber

    scrubber = Scrubber()

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((filth.beg, filth.end, filth.type.upper()) for filth in scrubber.iter_filth(text))

    return find


def build_phonenumbers_finder() -> Finder:
    """The matcher of the Python port of libphonenumber, told that numbers without a country are American."""
    from phonenumbers import PhoneNumberMatcher

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        return ((match.start, match.end, "PHONE") for match in PhoneNumberMatcher(text, "US"))

    return find


PEERS = {"datafog": build_datafog_finder, "presidio": build_presidio_finder, "scrubadub": build_scrubadub_finder, "phonenumbers": build_phonenumbers_finder}


def main(peer: str, texts: list[str]) -> dict[str, Any]:
    find = PEERS[peer]()
    list(find("warm up: ann@example.com"))
    began = time.perf_counter()
    findings = [list(find(text)) for text in texts]
    seconds = time.perf_counter() - began
    spans = [[(start, end, KINDS.get(kind, kind)) for start, end, kind in row] for row in findings]
    return {"spans": spans, "seconds": seconds}


if __name__ == "__main__":
    json.dump(main(sys.argv[1], json.load(sys.stdin)), sys.stdout)
