"""Role adherence: a user does not answer their own question.

The user asked a question with choices, and an unsure assistant asks back which choice it is. Naous et al. 2025, §4, on
CommonsenseQA; here on items of our own (`items/role_adherence.yaml`).
"""

import re
from collections.abc import Sequence

from turnabout.metrics.items import RoleItem
from turnabout.stats.estimate import Estimate
from turnabout.stats.proportion import estimate_proportion


def estimate_role_adherence(texts: Sequence[str], items: Sequence[RoleItem]) -> Estimate:
    """Estimate the share of turns, in percent, that keep the user's role.

    Such a turn has words and names none of the item's choices; higher is better. The interval is Wilson's over items,
    because no person's messages are involved.
    """
    n_kept = sum(keeps_role(text, item) for text, item in zip(texts, items, strict=True))
    return estimate_proportion(n_kept, len(items)).scale(100)


def keeps_role(text: str, item: RoleItem) -> bool:
    """Return whether a turn has words and none of them is a choice of the item.

    Case, punctuation and articles are ignored.
    """
    words = _normalize(text)
    return bool(words.strip()) and not any(_normalize(choice) in words for choice in item.choices)


def _normalize(text: str) -> str:
    """Return the lower-case words without articles, each between spaces."""
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the")]
    return f" {' '.join(words)} "
