"""Augmenters by the table they write."""

from turnabout.augment.base import Augmenter
from turnabout.augment.critiques.augmenter import Critiques
from turnabout.augment.principles.augmenter import Principles
from turnabout.augment.ratings.augmenter import Ratings
from turnabout.augment.rationales.augmenter import Rationales
from turnabout.augment.rewrites.hindsights import Hindsights
from turnabout.augment.rewrites.refinements import Refinements
from turnabout.augment.scopes.augmenter import Scopes
from turnabout.augment.user_preferences.augmenter import Preferences

AUGMENTERS: dict[str, type[Augmenter]] = {
    "critiques": Critiques,
    "rationales": Rationales,
    "ratings": Ratings,
    "refinements": Refinements,
    "hindsights": Hindsights,
    "preferences": Preferences,
    "principles": Principles,
    "scopes": Scopes,
}

__all__ = ["AUGMENTERS", "Augmenter"]
