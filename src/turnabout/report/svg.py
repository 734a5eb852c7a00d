"""Charts as inline SVG in the colours, font and width of the page.

The same input gives the same bytes.
"""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

from markupsafe import Markup, escape

#: Placeholder colours for matplotlib, and the variables of `style.css` that replace them in the finished SVG, so that
#: charts follow the light or dark colours of the page.
INK, MUTED, LINE, SAT, DSAT, NOISE = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
SERIES = ["#0a0a0a", "#0b0b0b", "#0c0c0c", "#0d0d0d", "#0e0e0e", "#0f0f0f"]
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    SAT: "--sat",
    DSAT: "--dsat",
    NOISE: "--noise",
    **{color: f"--series-{i}" for i, color in enumerate(SERIES)},
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
}


def draw_svg(name: str, alt: str, height: float, draw: Callable[[Any], None]) -> Markup:
    """Return what `draw` draws on an axes as one `<svg>` element.

    The drawing is 7.2 by `height` inches; the page scales it to its own width. `alt` is the text for people who cannot
    see it. `name` must be unique on the page: it prefixes every id, and is the salt of the hashed ones.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "svg.hashsalt": name}):
        canvas = Figure(figsize=(7.2, height), layout="constrained")
        draw(canvas.subplots())
        document = StringIO()
        no_metadata = dict.fromkeys(["Date", "Creator", "Format", "Type"])
        canvas.savefig(document, format="svg", metadata=no_metadata)
    return inline_svg(document.getvalue(), name, alt)


def inline_svg(document: str, name: str, alt: str) -> Markup:
    """Turn an SVG file into an element of the page.

    The element has no prolog and no fixed size (its `viewBox` stays), unique ids, and the colours and font of the page.
    """
    body = document[document.index("<svg") :].strip()
    body = re.sub(r' (?:width|height)="[\d.]+pt"', "", body, count=2)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub("|".join(VARIABLES), lambda color: f"var({VARIABLES[color[0]]})", body)
    return Markup(body.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))
