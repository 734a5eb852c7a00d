"""Augmenters by the table they write."""

from turnabout.augment.base import Augmenter
from turnabout.augment.critiques import Critiques
from turnabout.augment.hindsights import Hindsights
from turnabout.augment.preferences import Preferences
from turnabout.augment.principles import Principles
from turnabout.augment.ratings import Ratings
from turnabout.augment.rationales import Rationales
from turnabout.augment.refinements import Refinements
from turnabout.augment.scopes import Scopes

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
