"""Hindsight pairs: a reply rewritten by somebody who knew what the user said afterwards, against the reply they got.

The rewriting is the augmenter `hindsights`'s. What the user said later is neither in the prompt of the pair nor copied
into its chosen side: the policy learns to see it coming.
"""

from typing import ClassVar, Literal

import polars as pl

from turnabout.preferences.base import Material, Rule
from turnabout.preferences.rewritten import rewritten_pairs


class Hindsight(Rule):
    """One pair per rewritten reply."""

    rule: Literal["hindsight"] = "hindsight"
    reads: ClassVar[str] = "data/hindsights.parquet"

    def pairs(self, material: Material) -> pl.DataFrame:
        return rewritten_pairs(self.rule, material, "hindsight")
