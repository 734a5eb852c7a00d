"""The sections of the page in reading order.

Each section is a module with `build_context` and a template of the same name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from turnabout.report.inputs import Inputs
from turnabout.report.sections import (
    assistants,
    augmentation,
    caveats,
    conversations,
    feedback,
    findings,
    log,
    pairs,
    user_model,
)


class PageSection(NamedTuple):
    """One section of the page; `name` is its anchor and its template's name."""

    name: str
    title: str
    context: Callable[[Inputs], dict[str, Any]]


def build_empty_context(_: Inputs) -> dict[str, Any]:
    """Return the context of a section that is the same for every run."""
    return {}


SECTIONS = [
    PageSection("findings", "What this run found", findings.build_context),
    PageSection("log", "What went in", log.build_context),
    PageSection("feedback", "Feedback found", feedback.build_context),
    PageSection("user_model", "The user model", user_model.build_context),
    PageSection("augmentation", "Critiques and rationales", augmentation.build_context),
    PageSection("pairs", "Preference pairs", pairs.build_context),
    PageSection("assistants", "The assistants compared", assistants.build_context),
    PageSection("conversations", "Simulated conversations", conversations.build_context),
    PageSection("caveats", "Limitations", caveats.build_context),
    PageSection("next_steps", "Your own logs", build_empty_context),
    PageSection("glossary", "Glossary", build_empty_context),
]
