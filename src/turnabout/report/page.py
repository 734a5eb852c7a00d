"""Render every section's template into one page with its style sheet."""

from typing import Any

from markupsafe import Markup

from turnabout.report.figures import find_scale, format_interval, format_number
from turnabout.report.inputs import Inputs
from turnabout.report.sections import SECTIONS


def render_page(inputs: Inputs) -> str:
    """Return the report as one HTML document.

    It has no scripts, no outside resources and no times: the same inputs give the same text. Everything except our own
    charts is escaped, whatever the logs contain.
    """
    templates = build_environment()
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "body": Markup(templates.get_template(f"{section.name}.jinja").render(section.context(inputs))),
        }
        for section in SECTIONS
    ]
    style = Markup(templates.loader.get_source(templates, "style.css")[0])
    return templates.get_template("page.jinja").render(sections=sections, style=style)


def build_environment() -> Any:
    """Return the template environment.

    Templates escape what they print, and raise an error for a name that their context lacks.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("turnabout.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"number": format_number, "interval": format_interval, "scale": find_scale}
    return templates
