"""The section `augment` of params.yaml."""

from functools import partial
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, SerializeAsAny, field_validator

from turnabout.augment import AUGMENTERS
from turnabout.augment.base import Augmenter
from turnabout.core.config import Count, Section, resolve
from turnabout.feedback.signals import WeakCategory
from turnabout.generation.registry import AnyModel

AnyAugmenter = Annotated[SerializeAsAny[Augmenter], BeforeValidator(partial(resolve, AUGMENTERS, "writes"))]


class Augment(Section):
    """Settings of the stage `augment`."""

    renamed_keys: ClassVar = {"author": "generator"}

    generator: AnyModel
    """The model that answers what augmenters ask."""
    user: str
    """Path of the model that speaks as the user, an output of the graph.

    It is opened only where follow-ups score revisions.
    """
    augmenters: list[AnyAugmenter]
    weak: list[WeakCategory]
    """Categories of weak dissatisfaction (`clarification`, `revision`) whose replies are annotated too."""
    max_replies: Count | None
    """Most criticised replies that are annotated, per split; null means all."""
    max_prompt_tokens: Count
    max_new_tokens: Count
    batch_size: Count

    @field_validator("augmenters")
    @classmethod
    def _refuse_repeated_or_unordered_augmenters(cls, augmenters: list[Augmenter]) -> list[Augmenter]:
        written = [augmenter.writes for augmenter in augmenters]
        if repeated := sorted({table for table in written if written.count(table) > 1}):
            raise ValueError(f"{repeated} are named more than once; name each augmenter once")
        for i, augmenter in enumerate(augmenters):
            if missing := sorted(set(augmenter.needs) - set(written[:i])):
                raise ValueError(f"'{augmenter.writes}' needs {missing}; name them before it")
        return augmenters
