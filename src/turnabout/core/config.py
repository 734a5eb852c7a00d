"""Base class of the sections of `params.yaml`, and their errors."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from turnabout.errors import ConfigError

#: Field types: a share from 0 to 1, a positive integer, and a positive number such as a learning rate.
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A frozen section of `params.yaml`; unknown keys are errors that name them."""

    renamed_keys: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions, each with its present name."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            return entry
        unknown = sorted(set(entry) - set(cls.model_fields), key=str)
        if old := [key for key in unknown if key in cls.renamed_keys]:
            raise ValueError("; ".join(f"'{key}' is now called '{cls.renamed_keys[key]}'" for key in old))
        if unknown:
            raise ValueError(f"{unknown} not among the allowed keys {sorted(cls.model_fields)}")
        return entry


class PerSplit(Section):
    """A number for each split; null takes everything."""

    train: Count | None
    validation: Count | None
    test: Count | None


def resolve(table: Mapping[str, type[Section]], key: str, entry: Any) -> Section:
    """Validate an entry with the class that `entry[key]` names in `table`.

    Raises `ValueError` if the key is missing or names no class of the table.
    """
    if isinstance(entry, Section):
        return entry
    if not isinstance(entry, Mapping) or key not in entry:
        # The error shows keys only, because values may be secrets.
        given = f"the keys {sorted(map(str, entry))}" if isinstance(entry, Mapping) else f"a {type(entry).__name__}"
        raise ValueError(f"needs the key '{key}', one of {sorted(table)}; got {given}")
    if not isinstance(entry[key], str) or entry[key] not in table:
        raise ValueError(f"{key}: '{entry[key]}' is not one of {sorted(table)}")
    return table[entry[key]].model_validate(entry)


def convert_yaml_error(origin: str, error: yaml.YAMLError) -> ConfigError:
    """Return a YAML error as `ConfigError` with its line number.

    The line's text is left out, because it may hold a secret.
    """
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be read"
    line = "" if mark is None else f", line {mark.line + 1}"
    return ConfigError(f"{origin}: not YAML: {problem}{line}")


def convert_validation_error(origin: str, error: Exception) -> ConfigError:
    """Return a pydantic error as one `ConfigError`.

    It has a line for each mistake, with the path to it.
    """
    list_mistakes = getattr(error, "errors", None)
    if list_mistakes is None:
        return ConfigError(f"{origin}: {error}")
    lines: list[str] = []
    for mistake in list_mistakes():
        path = ".".join(map(str, mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        lines.append(": ".join(part for part in (path, message) if part))
    return ConfigError(f"{origin}: " + "\n  ".join(lines))
