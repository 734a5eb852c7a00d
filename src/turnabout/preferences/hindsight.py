"""Hindsight pairs: a reply rewritten in hindsight against the logged one.

The rewriting model knew what the user said afterwards. The augmenter `hindsights` writes the chosen side. What the user
said later is neither in the prompt of the pair nor copied into its chosen side, so the policy learns to anticipate it.
"""

from typing import ClassVar, Literal

import polars as pl

from turnabout.preferences.base import Rule, RuleContext
from turnabout.preferences.rewritten import build_rewritten_pairs


class Hindsight(Rule):
    """One pair per rewritten reply."""

    rule: Literal["hindsight"] = "hindsight"
    reads: ClassVar[str] = "data/hindsights.parquet"

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return build_rewritten_pairs(self.rule, context, "hindsight")
