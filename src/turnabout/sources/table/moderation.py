"""What an automatic moderation found in a message, in short: the dozens of scores it gives are not copied."""

from collections.abc import Mapping

from msgspec import Struct

#: From this score on a classifier that gives scores of 0 to 1 alone is taken to have found its category.
FOUND = 0.5


class Moderation(Struct):
    """One verdict of the OpenAI moderation endpoint."""

    flagged: bool | None = None
    categories: dict[str, bool | None] | None = None
    category_scores: dict[str, float | None] | None = None

    def found(self) -> dict[str, float | None]:
        """Scores of the categories it found; `hate/threatening` and `hate_threatening` are one."""
        scores = self.category_scores or {}
        found = sorted(name for name, is_found in (self.categories or {}).items() if is_found)
        return {name.replace("/", "_").replace("-", "_"): scores.get(name) for name in found}


def found_by_score(scores: Mapping[str, float | None] | None) -> dict[str, float]:
    """The scores of at least `FOUND`, as of Detoxify."""
    return {name: score for name, score in (scores or {}).items() if score is not None and score >= FOUND}
