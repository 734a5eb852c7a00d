"""Scrubbing: typed placeholders in place of personal data.

Within a conversation, equal values get equal placeholders, so that a reader can still tell who is who.
"""

from turnabout.scrubbing.scrubbing import ScrubResult, scrub_messages

__all__ = ["ScrubResult", "scrub_messages"]
