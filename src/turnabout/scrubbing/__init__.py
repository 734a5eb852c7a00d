"""Personal data replaced by typed placeholders that keep who is who within a conversation."""

from turnabout.scrubbing.scrubbing import Scrubbed, scrub

__all__ = ["Scrubbed", "scrub"]
