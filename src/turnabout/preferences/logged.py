"""Pairs that people made themselves, from all that a log records of them: edits, alternatives, repairs and ratings."""

import polars as pl

from turnabout.core import schemas
from turnabout.preferences.alternatives import Alternatives
from turnabout.preferences.edits import Edits
from turnabout.preferences.from_logs import FromLogs
from turnabout.preferences.ratings import Ratings
from turnabout.preferences.repair import Repair

#: One pair that people made, with the rule that found it as `source`.
LOGGED = pl.Schema({"source": pl.String(), **schemas.PAIRS})

#: Each at its defaults.
RULES: tuple[FromLogs, ...] = (Alternatives(), Edits(), Ratings(), Repair())


def logged_pairs(messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """All candidate pairs (`LOGGED`) of train and validation users, kept or not, with whole histories; by `pair_id`."""
    found = [rule.found(messages, splits, feedback).with_columns(source=pl.lit(rule.rule)) for rule in RULES]
    return pl.concat(found).select(list(LOGGED)).sort("pair_id")
