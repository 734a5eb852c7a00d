"""Rubrics: the named signs of satisfaction and of dissatisfaction that a model looks for, as YAML files."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from turnabout.core.config import Section, config_error
from turnabout.errors import ConfigError

Polarity = Literal["sat", "dsat"]
Dissatisfaction = Literal["rephrase", "correction", "complaint", "clarification", "revision"]

#: Text of one line: it becomes part of a prompt, where a line break would look like another criterion.
Name = Annotated[str, Field(pattern=r"^[^\n\r:]+$", max_length=60)]
Definition = Annotated[str, Field(pattern=r"^[^\n\r]+$", max_length=300)]


class Criterion(Section):
    """One sign, and the feedback table's category for it."""

    name: Name
    category: Dissatisfaction | Literal["positive"]
    definition: Definition


class Criteria(Section):
    """A rubric (Lin et al. 2024, SPUR): at least one criterion of either polarity, names distinct."""

    version: str
    sat: list[Criterion] = Field(min_length=1)
    dsat: list[Criterion] = Field(min_length=1)

    @model_validator(mode="after")
    def _tell_criteria_apart(self) -> "Criteria":
        names = [criterion.name for criterion in (*self.sat, *self.dsat)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"criteria named twice: {twice}; every criterion needs a name of its own")
        strange = [c.name for c in self.sat if c.category != "positive"]
        strange += [c.name for c in self.dsat if c.category == "positive"]
        if strange:
            dissatisfied = list(get_args(Dissatisfaction))
            raise ValueError(f"{strange}: category must be 'positive' under sat and one of {dissatisfied} under dsat")
        return self

    def named(self, label: Polarity) -> dict[str, Criterion]:
        """The criteria of one polarity by name."""
        return {criterion.name: criterion for criterion in (self.sat if label == "sat" else self.dsat)}


@cache
def open_criteria(path: str | None) -> Criteria:
    """The rubric at `path`, or the one of the package. Raises `ConfigError` naming every mistake in it."""
    place = files(__package__) / "rubric.yaml" if path is None else Path(path)
    try:
        return Criteria.model_validate(yaml.safe_load(place.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"rubric: no file '{path}'; `python -m stages.induce_rubric` writes one") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise config_error(str(path), error) from error


def listed(criteria: Iterable[Criterion]) -> str:
    """Criteria as lines "- name: definition"."""
    return "\n".join(f"- {criterion.name}: {criterion.definition}" for criterion in criteria)
