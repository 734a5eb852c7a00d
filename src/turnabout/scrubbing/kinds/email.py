"""E-mail addresses."""

import re

from turnabout.scrubbing.base import Kind, spans

# A run of address characters has one place to begin and a longest length, hence linear time.
EMAIL = re.compile(r"(?<![\w.+%-])[\w+%](?:[\w.+%'-]{0,62}[\w+%-])?@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")

KIND = Kind("@", lambda text: spans(EMAIL, text))
