"""The report: the results of a run as one self-contained HTML page."""

from turnabout.report.inputs import Inputs
from turnabout.report.page import render_page

__all__ = ["Inputs", "render_page"]
