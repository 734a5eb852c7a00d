"""One figure with its interval as the page shows it, and whether a difference is more than noise."""

from collections.abc import Mapping
from typing import Any, NamedTuple

MINUS = "\N{MINUS SIGN}"


class Figure(NamedTuple):
    """A number with its 95 % interval and the cases behind it; `value` is None where it could not be measured."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str = "no figure was written"

    @property
    def has_interval(self) -> bool:
        """Whether resampling gave it both ends."""
        return self.low is not None and self.high is not None

    @property
    def verdict(self) -> str:
        """Of a difference: `higher` or `lower` where its interval leaves 0 out, `inside the noise` where it does not.

        A difference without an interval (too few people to resample) is not told from noise either.
        """
        if self.value is None:
            return "not measured"
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "inside the noise"
        return "higher" if self.value > 0 else "lower"


def read_figure(tree: Mapping[str, Any] | None, *path: str) -> Figure:
    """The figure at `path` of a metrics file: `{value, low, high, n}`, a bare number, or null and its reason.

    The reason of a null is looked for as `reason` in it, or as `<key>_reason` or `reason` next to it.
    """
    for key in path[:-1]:
        child = (tree or {}).get(key)
        tree = child if isinstance(child, Mapping) else {"reason": find_null_reason(tree or {}, key)}
    tree = tree or {}
    found = tree.get(path[-1])
    if isinstance(found, Mapping):
        reason = found.get("reason") or find_null_reason(tree, path[-1])
        return Figure(found.get("value"), found.get("low"), found.get("high"), found.get("n"), reason)
    return Figure(found, reason=find_null_reason(tree, path[-1]))


def find_null_reason(tree: Mapping[str, Any], key: str) -> str:
    """Why `key` is null, as its neighbours tell it."""
    return str(tree.get(f"{key}_reason") or tree.get("reason") or Figure(None).reason)


def format_number(value: float | None, scale: float | None = None, signed: bool = False) -> str:
    """A number for people: counts with thousands separators, measurements with two or three digits.

    `scale` is the size that decides the decimals, so that a value and its interval agree.
    """
    if value is None:
        return "not measured"
    digits = 0 if isinstance(value, int) else choose_decimals(abs(value) if scale is None else scale)
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    is_zero = float(text.replace(",", "")) == 0
    return text.lstrip("+-") if is_zero else text.replace("-", MINUS)


def format_count(n: int, one: str, many: str) -> str:
    """A count with its noun, such as `1 person` or `1,200 people`."""
    return f"{format_number(n)} {one if n == 1 else many}"


def choose_decimals(scale: float) -> int:
    """Decimals that show two or three digits of a number of this size."""
    return 0 if scale >= 100 else 1 if scale >= 10 else 2 if scale >= 0.1 else 3


def find_scale(figure: Figure) -> float:
    """The size of a figure's largest part."""
    return max((abs(part) for part in figure[:3] if part is not None), default=0.0)


def format_figure(figure: Figure, signed: bool = False) -> str:
    """Value and interval in plain text, such as `1.92 [1.85, 2.01]`."""
    scale = find_scale(figure)
    value = format_number(figure.value, scale, signed)
    return f"{value} {format_interval(figure, signed)}" if figure.has_interval else value


def format_interval(figure: Figure, signed: bool = False) -> str:
    """The interval alone, such as `[1.85, 2.01]`, with the decimals of its figure."""
    scale = find_scale(figure)
    return f"[{format_number(figure.low, scale, signed)}, {format_number(figure.high, scale, signed)}]"
