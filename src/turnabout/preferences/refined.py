"""Refined pairs: a reply rewritten to meet the complaint is chosen.

The augmenter `refinements` writes the chosen side: the best of several drafts by a model that was shown the complaint
(imitation learning from language feedback, Scheurer et al. 2023), or the result of a tree search over small edits
(SPaR, Cheng et al. 2024), where the two sides differ in little else than what was requested.
"""

from typing import ClassVar, Literal

import polars as pl

from turnabout.preferences.base import Rule, RuleContext
from turnabout.preferences.rewritten import build_rewritten_pairs


class Refined(Rule):
    """One pair per refined reply; its critique is the rationale."""

    rule: Literal["refined"] = "refined"
    reads: ClassVar[str] = "data/refinements.parquet"

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return build_rewritten_pairs(self.rule, context, "refined", rationale="critique")
