"""All pairs whose sides are both in the log.

People made them themselves by edits, alternatives, repairs and ratings.
"""

import polars as pl

from turnabout.core import schemas
from turnabout.preferences.alternatives import Alternatives
from turnabout.preferences.edits import Edits
from turnabout.preferences.from_logs import LogRule
from turnabout.preferences.ratings import Ratings
from turnabout.preferences.repair import Repair

#: One pair that people made; `source` is the rule that found it.
LOGGED_PAIRS = pl.Schema({"source": pl.String(), **schemas.PAIRS})

#: The rules, each with its default settings.
LOG_RULES: tuple[LogRule, ...] = (Alternatives(), Edits(), Ratings(), Repair())


def find_logged_pairs(messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """Return all candidate pairs (`LOGGED_PAIRS`) of train and validation users.

    They have whole histories as prompts, are kept or not, and are sorted by `pair_id`.
    """
    by_rule = [rule.find_pairs(messages, splits, feedback).with_columns(source=pl.lit(rule.rule)) for rule in LOG_RULES]
    return pl.concat(by_rule).select(list(LOGGED_PAIRS)).sort("pair_id")
