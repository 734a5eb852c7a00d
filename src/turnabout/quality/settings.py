"""The section `build_pairs.quality`: the table of all quality filters."""

from typing import Annotated, Any

from pydantic import Field

from turnabout.core.config import Section
from turnabout.quality.base import Filter
from turnabout.quality.filters import drop_contradictions, drop_leaks, drop_surplus_pairs, drop_unequal_lengths
from turnabout.quality.readings import TopShare, drop_most_alike, drop_most_difficult
from turnabout.quality.relabelling import relabel_by_strength
from turnabout.quality.strength import Strength


class Quality(Section):
    """Filters of every arm's pairs, in order; null (or false) is off.

    Each field gives a filter its key, its setting and its function, so a new filter is its function, a field here and
    an entry in `params.yaml`. Filters marked `reads_policy` share one reading of both replies of every pair by the
    policy before training; the rest need the pairs and the logs alone.
    """

    leaks: Annotated[bool, Filter(drop_leaks)]
    """Whether to drop pairs whose prompt has words that the user wrote only after the reply."""
    contradictions: Annotated[bool, Filter(drop_contradictions)]
    """Whether to drop pairs that other pairs of the arm contradict with at least as much weight."""
    max_length_ratio: Annotated[Annotated[float, Field(gt=1)] | None, Filter(drop_unequal_lengths)]
    """Maximum ratio of the longer reply to the other, in characters."""
    strength: Annotated[Strength | None, Filter(relabel_by_strength, reads_policy=True)]
    difficulty: Annotated[TopShare | None, Filter(drop_most_difficult, reads_policy=True)]
    ches: Annotated[TopShare | None, Filter(drop_most_alike, reads_policy=True)]
    max_per_person: Annotated[Annotated[int, Field(gt=0)] | None, Filter(drop_surplus_pairs)]
    """Maximum number of kept pairs of one person; those with the largest weight stay."""

    def enabled_filters(self) -> list[tuple[Filter, Any]]:
        """Return the filters that are on, in order, each with its setting."""
        enabled: list[tuple[Filter, Any]] = []
        for name, field in type(self).model_fields.items():
            setting = getattr(self, name)
            if setting is not None and setting is not False:
                enabled += [(declared, setting) for declared in field.metadata if isinstance(declared, Filter)]
        return enabled

    @property
    def reads_policy(self) -> bool:
        """Whether any filter that is on needs the policy."""
        return any(quality_filter.reads_policy for quality_filter, _ in self.enabled_filters())
