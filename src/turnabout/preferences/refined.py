"""Refined pairs: a reply rewritten to meet the complaint against the reply that drew it.

The rewriting is the augmenter `refinements`'s: the best of several drafts by a model that was shown the complaint
(imitation learning from language feedback, Scheurer et al. 2023), or what a tree search over small edits found (SPaR,
Cheng et al. 2024), where the two sides differ in little else than what was asked for.
"""

from typing import ClassVar, Literal

import polars as pl

from turnabout.preferences.base import Material, Rule
from turnabout.preferences.rewritten import rewritten_pairs


class Refined(Rule):
    """One pair per refined reply; the critique the refinement acted on is its rationale."""

    rule: Literal["refined"] = "refined"
    reads: ClassVar[str] = "data/refinements.parquet"

    def pairs(self, material: Material) -> pl.DataFrame:
        return rewritten_pairs(self.rule, material, "refined", rationale="critique")
