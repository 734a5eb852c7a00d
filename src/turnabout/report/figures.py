"""Figures with intervals as the page shows them, and their significance."""

from collections.abc import Mapping
from typing import Any, NamedTuple

MINUS = "\N{MINUS SIGN}"


class Figure(NamedTuple):
    """A number, its 95 % interval and the number of cases behind it.

    `value` is None where the number could not be measured; `reason` says why.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str = "no figure was written"

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return self.low is not None and self.high is not None

    @property
    def verdict(self) -> str:
        """The verdict on a difference: is it more than noise?

        It is `higher` or `lower` if the interval excludes 0, and `inside the noise` if the interval includes 0. A
        difference without an interval (too few people to resample) is inside the noise, too.
        """
        if self.value is None:
            return "not measured"
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "inside the noise"
        return "higher" if self.value > 0 else "lower"


def read_figure(tree: Mapping[str, Any] | None, *path: str) -> Figure:
    """Read the figure at `path` of a metrics file.

    The entry is `{value, low, high, n}`, a bare number, or null. The reason of a null is its own `reason`, else the
    `<key>_reason` or `reason` next to it.
    """
    for key in path[:-1]:
        child = (tree or {}).get(key)
        tree = child if isinstance(child, Mapping) else {"reason": find_null_reason(tree or {}, key)}
    tree = tree or {}
    entry = tree.get(path[-1])
    if not isinstance(entry, Mapping):
        return Figure(entry, reason=find_null_reason(tree, path[-1]))
    return Figure(
        value=entry.get("value"),
        low=entry.get("low"),
        high=entry.get("high"),
        n=entry.get("n"),
        reason=entry.get("reason") or find_null_reason(tree, path[-1]),
    )


def find_null_reason(tree: Mapping[str, Any], key: str) -> str:
    """Return why `key` is null, as the entries next to it say."""
    return str(tree.get(f"{key}_reason") or tree.get("reason") or Figure(None).reason)


def format_number(value: float | None, scale: float | None = None, signed: bool = False) -> str:
    """Format a number for people.

    A count gets thousands separators, a measurement two or three digits. `scale` is the size that decides the number
    of decimals, so that a value and its interval have the same.
    """
    if value is None:
        return "not measured"
    digits = 0 if isinstance(value, int) else choose_decimals(abs(value) if scale is None else scale)
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    is_zero = float(text.replace(",", "")) == 0
    return text.lstrip("+-") if is_zero else text.replace("-", MINUS)


def format_count(n: int, one: str, many: str) -> str:
    """Format a count with its noun, such as `1 person` or `1,200 people`."""
    return f"{format_number(n)} {one if n == 1 else many}"


def choose_decimals(scale: float) -> int:
    """Return how many decimals show two or three digits of a number."""
    return 0 if scale >= 100 else 1 if scale >= 10 else 2 if scale >= 0.1 else 3


def find_scale(figure: Figure) -> float:
    """Return the largest absolute value among value, low and high."""
    return max((abs(part) for part in figure[:3] if part is not None), default=0.0)


def format_estimate(figure: Figure, signed: bool = False) -> str:
    """Format value and interval as plain text, such as `1.92 [1.85, 2.01]`."""
    scale = find_scale(figure)
    value = format_number(figure.value, scale, signed)
    return f"{value} {format_interval(figure, signed)}" if figure.has_interval else value


def format_interval(figure: Figure, signed: bool = False) -> str:
    """Format the interval alone, such as `[1.85, 2.01]`.

    It has as many decimals as its figure.
    """
    scale = find_scale(figure)
    return f"[{format_number(figure.low, scale, signed)}, {format_number(figure.high, scale, signed)}]"
