"""Items of the two adherence metrics, one YAML file for each metric.

An item is a small conversation in our own words.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from turnabout.core.messages import Message
from turnabout.intents.wording import PREFIX
from turnabout.simulation.users import Situation


class RoleItem(NamedTuple):
    """A question with choices, which the assistant asks back."""

    about: str
    question: str
    choices: list[str]


class IntentItem(NamedTuple):
    """A question, and the assistant's proposal to talk about another subject."""

    about: str
    question: str
    diversion: str


def load_role_items(max_items: int) -> tuple[list[RoleItem], list[Situation]]:
    """Load the first `max_items` items of role adherence.

    Returns the items and for each the situation in which the user speaks next.
    """
    content = _load_yaml("role_adherence")
    items = [RoleItem(**entry) for entry in content["items"][:max_items]]
    situations = []
    for item in items:
        question = f"{item.question} {', '.join(item.choices[:-1])} or {item.choices[-1]}?"
        situations.append(_build_situation(item.about, question, content["unsure"]))
    return items, situations


def load_intent_items(max_items: int) -> tuple[list[IntentItem], list[Situation]]:
    """Load the first `max_items` items of intent adherence.

    Returns the items and for each the situation in which the user speaks next.
    """
    items = [IntentItem(**entry) for entry in _load_yaml("intent_adherence")["items"][:max_items]]
    return items, [_build_situation(item.about, item.question, item.diversion) for item in items]


def _build_situation(about: str, question: str, reply: str) -> Situation:
    history: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return Situation(f"{PREFIX}{about}.", history)


def _load_yaml(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return content
