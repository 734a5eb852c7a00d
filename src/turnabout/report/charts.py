"""The kinds of chart on the page: bars, dots with intervals, curves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from markupsafe import Markup

from turnabout.report.figures import Figure, format_number
from turnabout.report.svg import DSAT, INK, LINE, NOISE, SAT, SERIES, draw_svg

#: Height in inches of one row of a chart, and of the axis below the rows.
ROW_HEIGHT, FOOT_HEIGHT = 0.42, 0.75

#: Entries of a legend side by side.
LEGEND_COLUMNS = 3


class Dot(NamedTuple):
    """One row of an interval chart.

    Rows with the same `series` have the same colour; -1 is the grey of noise.
    """

    label: str
    figure: Figure
    series: int = 0


def draw_bars(name: str, alt: str, counts: Sequence[tuple[str, str, int]], unit: str) -> Markup:
    """Draw one horizontal bar per count, the first on top.

    `counts` holds (category, label `sat` or `dsat`, count); each count stands at the end of its bar.
    """

    def draw(axes: Any) -> None:
        rows = range(len(counts))
        lengths = [count for _, _, count in counts]
        axes.barh(rows, lengths, height=0.58, color=[{"sat": SAT, "dsat": DSAT}[label] for _, label, _ in counts])
        for row, count in zip(rows, lengths, strict=True):
            axes.annotate(format_number(count), (count, row), xytext=(6, 0), textcoords="offset points", va="center")
        axes.set_yticks(rows, [category for category, _, _ in counts], color=INK)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.set_xlabel(unit)
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.1)

    return draw_svg(name, alt, FOOT_HEIGHT + ROW_HEIGHT * len(counts), draw)


def draw_intervals(name: str, alt: str, dots: Sequence[Dot], unit: str, zero: bool = False) -> Markup:
    """Draw a dot with its 95 % interval per row, the first on top.

    `zero` draws the line of no difference.
    """

    def draw(axes: Any) -> None:
        for row, dot in enumerate(dots):
            color = NOISE if dot.series < 0 else SERIES[dot.series % len(SERIES)]
            if dot.figure.has_interval:
                axes.plot([dot.figure.low, dot.figure.high], [row, row], color=color, linewidth=2.2, alpha=0.55)
            axes.plot([dot.figure.value], [row], "o", color=color, markersize=8)
        if zero:
            axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(dots)), [dot.label for dot in dots], color=INK)
        axes.set_ylim(len(dots) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel(unit)
        axes.margins(x=0.08)

    return draw_svg(name, alt, FOOT_HEIGHT + ROW_HEIGHT * len(dots), draw)


def draw_bands(
    name: str, alt: str, lines: Mapping[str, pl.DataFrame], *, x: str, y: str, axis_labels: tuple[str, str]
) -> Markup:
    """Draw one line with dots per frame, its `low` to `high` shaded.

    `x` and `y` are the columns drawn, `axis_labels` the labels of the x and the y axis.
    """

    def draw(axes: Any) -> None:
        for color, (label, points) in zip(_assign_colors(lines), lines.items(), strict=True):
            axes.fill_between(points[x], points["low"], points["high"], color=color, alpha=0.13, linewidth=0)
            axes.plot(points[x], points[y], "o-", color=color, label=label, markersize=4.5, linewidth=1.8)
        _finish_line_chart(axes, axis_labels)

    return draw_svg(name, alt, 3.6, draw)


def draw_curves(
    name: str, alt: str, lines: Mapping[str, pl.DataFrame], *, y: str, axis_labels: tuple[str, str]
) -> Markup:
    """Draw the column `y` of each frame by `step`.

    The values are faint, their running mean over a tenth of the steps is strong. Lines are dashed from where the
    colours repeat.
    """

    def draw(axes: Any) -> None:
        for i, (label, points) in enumerate(lines.items()):
            color, style = SERIES[i % len(SERIES)], "-" if i < len(SERIES) else "--"
            smooth = points[y].rolling_mean(max(1, points.height // 10), min_samples=1, center=True)
            axes.plot(points["step"], points[y], color=color, linewidth=1, alpha=0.3)
            axes.plot(points["step"], smooth, style, color=color, linewidth=2.2, label=label)
        _finish_line_chart(axes, axis_labels)

    n_legend_rows = -(-len(lines) // LEGEND_COLUMNS)
    return draw_svg(name, alt, 2.8 + 0.24 * n_legend_rows, draw)


def draw_histogram(name: str, alt: str, values: Sequence[float], axis_labels: tuple[str, str]) -> Markup:
    """Draw the distribution of the values in at most 20 bins.

    A vertical line marks zero if there are values on both sides of it.
    """

    def draw(axes: Any) -> None:
        axes.hist(values, bins=min(20, max(5, len(values) // 4)), color=SERIES[0], alpha=0.75, rwidth=0.92)
        if min(values) < 0 < max(values):
            axes.axvline(0, color=INK, linewidth=1)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(axis_labels[0])
        axes.set_ylabel(axis_labels[1])
        axes.grid(axis="y", color=LINE)

    return draw_svg(name, alt, 2.2, draw)


def _assign_colors(lines: Mapping[str, pl.DataFrame]) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(len(lines))]


def _finish_line_chart(axes: Any, axis_labels: tuple[str, str]) -> None:
    """Add what every line chart has: axis labels, a grid, a legend.

    Steps are whole numbers. There is a legend only if there are two lines or more.
    """
    axes.set_xlabel(axis_labels[0])
    axes.set_ylabel(axis_labels[1])
    axes.grid(axis="y", color=LINE)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(ncols=LEGEND_COLUMNS, loc="lower center", bbox_to_anchor=(0.5, 1.0))
