"""Edits: the edited text of a reply against the assistant's own text."""

from typing import Literal

import polars as pl

from turnabout.feedback.signals import RECORDED_CONFIDENCE
from turnabout.preferences.from_logs import LogRule, add_prompts, complete_pairs, select_replies


class Edits(LogRule):
    """One pair per edited reply; `evidence` names the edit, in brackets."""

    rule: Literal["edits"] = "edits"

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one candidate per edited reply.

        Both sides follow the same history, so nothing said later can leak into one of them.
        """
        edited = select_replies(messages, splits).drop_nulls("edited_text")
        candidates = add_prompts(messages, edited).with_columns(
            chosen="edited_text",
            rejected="reply",
            weight=RECORDED_CONFIDENCE["edit"],
            evidence=pl.lit("[edited the reply]"),
        )
        return complete_pairs(self.rule, candidates)
