"""Role adherence: asked back by an unsure assistant, a person does not start to answer their own question.

Naous et al. 2025, §4, on CommonsenseQA; here on items of our own (`items/role_adherence.yaml`).
"""

import re
from collections.abc import Sequence

from turnabout.metrics.items import RoleItem
from turnabout.stats.estimate import Estimate
from turnabout.stats.proportion import proportion


def role_adherence(texts: Sequence[str], items: Sequence[RoleItem]) -> Estimate:
    """The share of turns, in percent, that say something and name none of the item's choices; higher is better.

    Its interval is Wilson's over items: nobody's words are behind them.
    """
    kept = sum(keeps_role(text, item) for text, item in zip(texts, items, strict=True))
    return proportion(kept, len(items)).times(100)


def keeps_role(text: str, item: RoleItem) -> bool:
    """Whether a turn has words, and no choice of the item among them (case, punctuation and articles aside)."""
    said = _folded(text)
    return bool(said.strip()) and not any(_folded(choice) in said for choice in item.choices)


def _folded(text: str) -> str:
    """Lower-case words without articles, each between spaces."""
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the")]
    return f" {' '.join(words)} "
