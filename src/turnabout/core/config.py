"""The base class of every section of `params.yaml`, and the errors of a file that does not fit."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from turnabout.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A frozen section of `params.yaml`; unknown keys are refused by name."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions and what each is called now."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            return entry
        unknown = sorted(set(entry) - set(cls.model_fields), key=str)
        if old := [key for key in unknown if key in cls.renamed]:
            raise ValueError("; ".join(f"'{key}' is now called '{cls.renamed[key]}'" for key in old))
        if unknown:
            raise ValueError(f"{unknown} not among the allowed keys {sorted(cls.model_fields)}")
        return entry


class PerSplit(Section):
    train: Count | None
    validation: Count | None
    test: Count | None


def resolve(table: Mapping[str, type[Section]], key: str, entry: Any) -> Section:
    """The method `entry[key]` of a literal table, validated with that method's own class."""
    if isinstance(entry, Section):
        return entry
    if not isinstance(entry, Mapping) or key not in entry:
        came = f"the keys {sorted(map(str, entry))}" if isinstance(entry, Mapping) else f"a {type(entry).__name__}"
        raise ValueError(f"needs the key '{key}', one of {sorted(table)}; came {came}")  # values may be secrets
    if not isinstance(entry[key], str) or entry[key] not in table:
        raise ValueError(f"{key}: '{entry[key]}' is not one of {sorted(table)}")
    return table[entry[key]].model_validate(entry)


def yaml_error(origin: str, error: yaml.YAMLError) -> ConfigError:
    """What is wrong in which line, without the line: it may hold a secret."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "cannot be read"
    return ConfigError(f"{origin}: not YAML: {problem}" + ("" if mark is None else f", line {mark.line + 1}"))


def config_error(origin: str, error: Exception) -> ConfigError:
    """A pydantic error as one `ConfigError`, a line for each mistake with the path to it."""
    details = getattr(error, "errors", None)
    if details is None:
        return ConfigError(f"{origin}: {error}")
    places = [(".".join(map(str, d["loc"])), d["msg"].removeprefix("Value error, ")) for d in details()]
    lines = [": ".join(filter(None, place)) for place in places]
    return ConfigError(f"{origin}: " + "\n  ".join(lines))
