"""Quality of preference pairs: the same measures of every arm's pairs, and filters that drop with a reason."""

from turnabout.quality.screening import Screened, screened
from turnabout.quality.settings import Quality
from turnabout.quality.summary import summary

__all__ = ["Quality", "Screened", "screened", "summary"]
