"""The sections of the page in reading order: each a module with `context` and a template of the same name."""

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


class Section(NamedTuple):
    """One part of the page. `name` is its anchor, and its template's name."""

    name: str
    title: str
    context: Callable[[Inputs], dict[str, Any]]


def nothing(_: Inputs) -> dict[str, Any]:
    """The context of a section that is the same for every run."""
    return {}


SECTIONS = [
    Section("findings", "What this run found", findings.context),
    Section("log", "What went in", log.context),
    Section("feedback", "Feedback found", feedback.context),
    Section("user_model", "The user model", user_model.context),
    Section("augmentation", "Critiques and rationales", augmentation.context),
    Section("pairs", "Preference pairs", pairs.context),
    Section("assistants", "The assistants compared", assistants.context),
    Section("conversations", "Simulated conversations", conversations.context),
    Section("caveats", "What to keep in mind", caveats.context),
    Section("next_steps", "Your own logs", nothing),
    Section("glossary", "Words used here", nothing),
]
