"""The items of both adherence metrics: small conversations in our own words, one YAML file per metric."""

from pathlib import Path
from typing import NamedTuple

import yaml

from turnabout.core.messages import Message
from turnabout.intents.wording import PREFIX
from turnabout.simulation.users import Situation


class RoleItem(NamedTuple):
    """A question with choices, which the assistant gives back."""

    about: str
    question: str
    choices: list[str]


class IntentItem(NamedTuple):
    """A question, and what the assistant proposes to talk about in its place."""

    about: str
    question: str
    diversion: str


def role_items(most: int) -> tuple[list[RoleItem], list[Situation]]:
    """The first `most` items of role adherence, and where the user speaks next in each."""
    content = _read("role_adherence")
    items = [RoleItem(**entry) for entry in content["items"][:most]]
    asked = [f"{item.question} {', '.join(item.choices[:-1])} or {item.choices[-1]}?" for item in items]
    return items, [_situation(item.about, text, content["unsure"]) for item, text in zip(items, asked, strict=True)]


def intent_items(most: int) -> tuple[list[IntentItem], list[Situation]]:
    """The first `most` items of intent adherence, and where the user speaks next in each."""
    items = [IntentItem(**entry) for entry in _read("intent_adherence")["items"][:most]]
    return items, [_situation(item.about, item.question, item.diversion) for item in items]


def _situation(about: str, question: str, reply: str) -> Situation:
    history: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return Situation(f"{PREFIX}{about}.", history)


def _read(name: str) -> dict:
    found: dict = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return found
