"""The words that carry the feedback, found again in the message they come from."""

from typing import NamedTuple


class Evidence(NamedTuple):
    """A message cut at the evidence: what stands before it, the span itself verbatim, what stands after it."""

    before: str
    span: str
    after: str


def locate_span(span: str | None, text: str | None) -> Evidence | None:
    """Where the span stands in the text, verbatim; None where it does not (a rating, a reaction, an edit)."""
    if not span or not text or span not in text:
        return None
    before, _, after = text.partition(span)
    return Evidence(before, span, after)
