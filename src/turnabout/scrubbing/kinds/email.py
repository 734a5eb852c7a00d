"""E-mail addresses."""

import re

from turnabout.scrubbing.base import Kind, find_spans

# A run of address characters has one start and a longest length, so the search takes linear time.
EMAIL = re.compile(r"(?<![\w.+%-])[\w+%](?:[\w.+%'-]{0,62}[\w+%-])?@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")

KIND = Kind("@", lambda text: find_spans(EMAIL, text))
