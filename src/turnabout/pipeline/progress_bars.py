"""Progress bars of tqdm in the output of a stage."""

import re
from typing import NamedTuple

#: `critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.8reply/s]`. The time left is `?` until the first step is done.
_BAR = re.compile(
    r"^(?:(?P<title>.*?):? +)?(?P<percent>\d+)%\|[^|]*\|\s*(?P<note>(?P<steps>\d[\d.]*\w?/\d[\d.]*\w?)\b(?P<times>.*))$"
)
#: Other lines of bars: those of DVC for files (`0%|          |data/x`), counts without a total
#: (`Collecting files |12.0 [00:00, 90.1file/s]`), and DVC's `!`.
_OTHER_BAR = re.compile(r"\d%\|[^|]*\||(?:^!|\[(?:\d+ days?, )?(?:\d+:)?\d\d:\d\d(?:<[^\]]*)?, [^\]]*\])$")
_TIME_LEFT = re.compile(r"<(?:(?:(\d+) days?, )?(\d+):)?(\d+):(\d+)")


class ProgressBar(NamedTuple):
    """The state of one progress bar."""

    title: str
    percent: int
    steps: str
    """Steps done and steps in all, such as `18/40`."""
    seconds_left: int | None
    note: str
    """Everything beside the bar itself: count, times and speed."""


def parse_bar(line: str) -> ProgressBar | None:
    """Return the progress bar that a line of output shows, or None."""
    match = _BAR.match(line)
    if match is None:
        return None
    left = _TIME_LEFT.search(match["times"])
    seconds_left = None
    if left is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in left.groups())
        seconds_left = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return ProgressBar(
        title=match["title"] or "",
        percent=int(match["percent"]),
        steps=match["steps"],
        seconds_left=seconds_left,
        note=match["note"],
    )


def is_progress(line: str) -> bool:
    """Return whether a line of output is part of a progress bar.

    The bar may have a total or not.
    """
    return parse_bar(line) is not None or _OTHER_BAR.search(line) is not None


def format_duration(seconds: int) -> str:
    """Return a duration in the largest unit that has at least two of it.

    119 s is `119 s`, 120 s is `2 min`, 7,200 s is `2 h`.
    """
    if seconds < 120:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{round(seconds / 3600)} h"
