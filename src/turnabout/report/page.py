"""The page: every section's context in its template, with the style sheet inlined."""

from typing import Any

from markupsafe import Markup

from turnabout.report.figures import format_interval, format_number, find_scale
from turnabout.report.inputs import Inputs
from turnabout.report.sections import SECTIONS


def render_page(inputs: Inputs) -> str:
    """One HTML document without scripts, outside resources or times: the same inputs give the same text.

    Everything that is not a drawing of ours is escaped, whatever the logs hold.
    """
    pages = build_environment()
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "body": Markup(pages.get_template(f"{section.name}.jinja").render(section.context(inputs))),
        }
        for section in SECTIONS
    ]
    style = Markup(pages.loader.get_source(pages, "style.css")[0])
    return pages.get_template("page.jinja").render(sections=sections, style=style)


def build_environment() -> Any:
    """Templates that escape what they print and refuse a name that their context lacks."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("turnabout.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"number": format_number, "interval": format_interval, "scale": find_scale}
    return pages
