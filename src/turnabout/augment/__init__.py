"""Augmenters by the table they write."""

from turnabout.augment.base import Augmenter
from turnabout.augment.critiques import Critiques
from turnabout.augment.rationales import Rationales

AUGMENTERS: dict[str, type[Augmenter]] = {
    "critiques": Critiques,
    "rationales": Rationales,
}

__all__ = ["AUGMENTERS", "Augmenter"]
