"""Rubrics as YAML files.

A rubric has named signs of satisfaction and dissatisfaction, which a model looks for.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from turnabout.core.config import Section, convert_validation_error
from turnabout.errors import ConfigError

Polarity = Literal["sat", "dsat"]
Dissatisfaction = Literal["rephrase", "correction", "complaint", "clarification", "revision"]

#: Text of one line: it becomes part of a prompt, where a line break would look like another criterion.
CriterionName = Annotated[str, Field(pattern=r"^[^\n\r:]+$", max_length=60)]
Definition = Annotated[str, Field(pattern=r"^[^\n\r]+$", max_length=300)]


class Criterion(Section):
    """One sign, and its category in the feedback table."""

    name: CriterionName
    category: Dissatisfaction | Literal["positive"]
    definition: Definition


class Criteria(Section):
    """A rubric (SPUR; Lin et al. 2024).

    It has at least one criterion of either polarity, and their names are distinct.
    """

    version: str
    sat: list[Criterion] = Field(min_length=1)
    dsat: list[Criterion] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names_and_categories(self) -> "Criteria":
        names = [criterion.name for criterion in (*self.sat, *self.dsat)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"criteria named twice: {repeated}; every criterion needs a name of its own")
        misplaced = [criterion.name for criterion in self.sat if criterion.category != "positive"]
        misplaced += [criterion.name for criterion in self.dsat if criterion.category == "positive"]
        if misplaced:
            allowed = list(get_args(Dissatisfaction))
            raise ValueError(f"{misplaced}: category must be 'positive' under sat and one of {allowed} under dsat")
        return self

    def select_by_label(self, label: Polarity) -> dict[str, Criterion]:
        """Return the criteria of one polarity, by name."""
        return {criterion.name: criterion for criterion in (self.sat if label == "sat" else self.dsat)}


@cache
def load_criteria(path: str | None) -> Criteria:
    """Load the rubric at `path`, or the shipped one for None.

    Raises `ConfigError` that names every mistake in the file.
    """
    file = files(__package__) / "rubric.yaml" if path is None else Path(path)
    try:
        return Criteria.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"rubric: there is no file '{path}'; `turnabout induce-rubric` writes one") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise convert_validation_error(str(path), error) from error


def dump_criteria(criteria: Criteria) -> str:
    """Return a rubric as YAML that `load_criteria` reads."""
    return yaml.safe_dump(criteria.model_dump(), sort_keys=False, allow_unicode=True)


def format_criteria(criteria: Iterable[Criterion]) -> str:
    """Return criteria as lines "- name: definition"."""
    return "\n".join(f"- {criterion.name}: {criterion.definition}" for criterion in criteria)
