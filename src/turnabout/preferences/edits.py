"""Edits: what somebody made of a reply is chosen, the reply as the assistant wrote it is rejected."""

from typing import Literal

import polars as pl

from turnabout.feedback.signals import RECORDED
from turnabout.preferences.from_logs import FromLogs, checked, replies, with_prompts


class Edits(FromLogs):
    """One pair per reply that somebody rewrote; `evidence` is what they did, in brackets."""

    rule: Literal["edits"] = "edits"

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Both sides follow the same history, so nothing said later can leak into one of them."""
        edited = replies(messages, splits).drop_nulls("edited_text")
        pairs = with_prompts(messages, edited).with_columns(
            chosen="edited_text", rejected="reply", weight=RECORDED["edit"], evidence=pl.lit("[edited the reply]")
        )
        return checked(self.rule, pairs)
