"""The kinds of chart on the page: bars, dots with intervals, curves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from markupsafe import Markup

from turnabout.report.figures import Figure, format_number
from turnabout.report.svg import DSAT, INK, LINE, NOISE, SAT, SERIES, draw_svg

#: Height of one row of a chart, and of what stands below the rows, in inches.
ROW_HEIGHT, FOOT_HEIGHT = 0.42, 0.75

#: Entries of a legend side by side.
LEGEND_COLUMNS = 3


class Dot(NamedTuple):
    """One row of an interval chart. Rows of the same `series` share a colour; -1 is the grey of noise."""

    label: str
    figure: Figure
    series: int = 0


def draw_bars(name: str, alt: str, counts: Sequence[tuple[str, str, int]], unit: str) -> Markup:
    """Horizontal bars of (category, label sat or dsat, count), the first on top, each with its count at the end."""

    def draw(axes: Any) -> None:
        places = range(len(counts))
        lengths = [count for _, _, count in counts]
        axes.barh(places, lengths, height=0.58, color=[{"sat": SAT, "dsat": DSAT}[label] for _, label, _ in counts])
        for place, count in zip(places, lengths, strict=True):
            axes.annotate(format_number(count), (count, place), xytext=(6, 0), textcoords="offset points", va="center")
        axes.set_yticks(places, [category for category, _, _ in counts], color=INK)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.set_xlabel(unit)
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.1)

    return draw_svg(name, alt, FOOT_HEIGHT + ROW_HEIGHT * len(counts), draw)


def draw_intervals(name: str, alt: str, dots: Sequence[Dot], unit: str, zero: bool = False) -> Markup:
    """A dot with its 95 % interval per row, the first on top; `zero` draws the line of no difference."""

    def draw(axes: Any) -> None:
        for place, dot in enumerate(dots):
            color = NOISE if dot.series < 0 else SERIES[dot.series % len(SERIES)]
            if dot.figure.has_interval:
                axes.plot([dot.figure.low, dot.figure.high], [place, place], color=color, linewidth=2.2, alpha=0.55)
            axes.plot([dot.figure.value], [place], "o", color=color, markersize=8)
        if zero:
            axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(dots)), [dot.label for dot in dots], color=INK)
        axes.set_ylim(len(dots) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel(unit)
        axes.margins(x=0.08)

    return draw_svg(name, alt, FOOT_HEIGHT + ROW_HEIGHT * len(dots), draw)


def draw_bands(name: str, alt: str, lines: Mapping[str, pl.DataFrame], x: str, y: str, labels: tuple[str, str]) -> Markup:
    """One line with dots per frame, its `low` to `high` shaded; `labels` name the axes."""

    def draw(axes: Any) -> None:
        for color, (label, points) in zip(_assign_colors(lines), lines.items(), strict=True):
            axes.fill_between(points[x], points["low"], points["high"], color=color, alpha=0.13, linewidth=0)
            axes.plot(points[x], points[y], "o-", color=color, label=label, markersize=4.5, linewidth=1.8)
        _finish_line_chart(axes, labels)

    return draw_svg(name, alt, 3.6, draw)


def draw_curves(name: str, alt: str, lines: Mapping[str, pl.DataFrame], y: str, labels: tuple[str, str]) -> Markup:
    """Per frame its `y` by `step`, faint, and a running mean over a tenth of the steps, strong.

    Lines are dashed from where the colours repeat.
    """

    def draw(axes: Any) -> None:
        for i, (label, points) in enumerate(lines.items()):
            color, style = SERIES[i % len(SERIES)], "-" if i < len(SERIES) else "--"
            smooth = points[y].rolling_mean(max(1, points.height // 10), min_samples=1, center=True)
            axes.plot(points["step"], points[y], color=color, linewidth=1, alpha=0.3)
            axes.plot(points["step"], smooth, style, color=color, linewidth=2.2, label=label)
        _finish_line_chart(axes, labels)

    return draw_svg(name, alt, 2.8 + 0.24 * -(-len(lines) // LEGEND_COLUMNS), draw)


def draw_histogram(name: str, alt: str, values: Sequence[float], labels: tuple[str, str]) -> Markup:
    """How many values lie where, in at most 20 bins; a line where they are zero."""

    def draw(axes: Any) -> None:
        axes.hist(values, bins=min(20, max(5, len(values) // 4)), color=SERIES[0], alpha=0.75, rwidth=0.92)
        if min(values) < 0 < max(values):
            axes.axvline(0, color=INK, linewidth=1)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.grid(axis="y", color=LINE)

    return draw_svg(name, alt, 2.2, draw)


def _assign_colors(lines: Mapping[str, pl.DataFrame]) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(len(lines))]


def _finish_line_chart(axes: Any, labels: tuple[str, str]) -> None:
    """What every line chart has: a quiet grid, whole steps, a legend when there is something to tell apart."""
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(axis="y", color=LINE)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(ncols=LEGEND_COLUMNS, loc="lower center", bbox_to_anchor=(0.5, 1.0))
