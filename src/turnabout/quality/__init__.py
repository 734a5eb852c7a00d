"""Quality of preference pairs: filters, and measures of the kept pairs."""

from turnabout.quality.screening import ScreenedPairs, screen_pairs
from turnabout.quality.settings import Quality
from turnabout.quality.summary import summarise_pairs

__all__ = ["Quality", "ScreenedPairs", "screen_pairs", "summarise_pairs"]
