"""What automatic moderation flagged in a message.

Moderation gives dozens of scores a message; only those of the flagged categories are kept.
"""

from collections.abc import Mapping

from msgspec import Struct

#: Least score (0 to 1) at which a classifier that gives scores alone counts as flagging a category.
MIN_SCORE = 0.5


class Moderation(Struct):
    """One result of the OpenAI moderation endpoint."""

    flagged: bool | None = None
    categories: dict[str, bool | None] | None = None
    category_scores: dict[str, float | None] | None = None

    def select_flagged_scores(self) -> dict[str, float | None]:
        """Return the scores of the flagged categories by name.

        `hate/threatening` and `hate_threatening` are the same category.
        """
        scores = self.category_scores or {}
        flagged = sorted(name for name, is_flagged in (self.categories or {}).items() if is_flagged)
        return {name.replace("/", "_").replace("-", "_"): scores.get(name) for name in flagged}


def select_high_scores(scores: Mapping[str, float | None] | None) -> dict[str, float]:
    """Return the scores of at least `MIN_SCORE`, such as Detoxify's."""
    return {name: score for name, score in (scores or {}).items() if score is not None and score >= MIN_SCORE}
