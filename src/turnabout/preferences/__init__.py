"""Pair rules by name."""

from turnabout.preferences.base import Material, Rule
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp

RULES: dict[str, type[Rule]] = {
    "drift": Drift,
    "follow_up": FollowUp,
}

__all__ = ["RULES", "Material", "Rule"]
