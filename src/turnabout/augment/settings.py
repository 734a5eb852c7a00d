"""Section `augment` of params.yaml."""

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny, field_validator

from turnabout.augment import AUGMENTERS
from turnabout.augment.base import Augmenter
from turnabout.core.config import Count, Section, resolve
from turnabout.feedback.signals import WeakCategory
from turnabout.generation.registry import AnyAuthor

AnyAugmenter = Annotated[SerializeAsAny[Augmenter], BeforeValidator(partial(resolve, AUGMENTERS, "writes"))]


class Augment(Section):
    author: AnyAuthor
    """Who writes what augmenters ask for."""
    user: str
    """Output of the graph that speaks as the user where follow-ups score revisions; not opened unless they do."""
    augmenters: list[AnyAugmenter]
    weak: list[WeakCategory]
    """Categories of weak dissatisfaction (`clarification`, `revision`) whose replies are worked on too."""
    max_replies: Count | None
    """Most criticised replies worked on, per split; null means all."""
    max_prompt_tokens: Count
    max_new_tokens: Count
    batch_size: Count

    @field_validator("augmenters")
    @classmethod
    def _each_writes_its_own_table(cls, augmenters: list[Augmenter]) -> list[Augmenter]:
        written = [augmenter.writes for augmenter in augmenters]
        if twice := sorted({table for table in written if written.count(table) > 1}):
            raise ValueError(f"{twice} stand there more than once; each augmenter may be named once")
        for i, augmenter in enumerate(augmenters):
            if missing := sorted(set(augmenter.needs) - set(written[:i])):
                raise ValueError(f"'{augmenter.writes}' needs {missing}, which must be named before it")
        return augmenters
