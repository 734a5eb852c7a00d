"""The seam every miner implements: exchanges in, signals out; with a language model at hand where it needs one."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Self

import polars as pl
from pydantic import Field, PrivateAttr

from turnabout.core.config import Section
from turnabout.core.conversations import hash_rank
from turnabout.errors import ConfigError

if TYPE_CHECKING:
    from turnabout.generation.base import Generator
    from turnabout.models.checkpoints import Checkpoint


class LanguageModel(NamedTuple):
    """What a miner that needs a model works with, opened once for all of them."""

    writer: "Generator"
    """`mine.author`, speaking as the assistant; its answers are stored on arrival: a rerun asks nothing twice."""
    checkpoint: "Checkpoint"
    """The weights of `mine.model`, for likelihoods (`follow_ups.likelihood`)."""
    batch_size: int
    seed: int


class Miner(Section):
    """One way to find feedback. `miner` is the key of the method in `params.yaml`.

    `mine` sees whole conversations, but not all of the log at once: nothing may depend on what else is in the table.
    """

    miner: str
    version: ClassVar[str]
    """Raised whenever the same exchange may get another signal; stored with every signal."""
    needs: ClassVar[Literal["nothing", "model"]] = "nothing"

    @abstractmethod
    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Signals (`schemas.FEEDBACK`, any order) found in exchanges (`conversations.EXCHANGES`)."""


class ModelMiner(Miner):
    """A miner that reads with a language model, at `self.model` in `mine`; `with_model` hands it over."""

    needs: ClassVar[Literal["nothing", "model"]] = "model"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the conversations that are read, chosen by a hash of their ids: each reply costs model passes."""
    _model: LanguageModel | None = PrivateAttr(None)
    _failures: Counter[str] = PrivateAttr(default_factory=Counter)

    def with_model(self, model: LanguageModel) -> Self:
        """The same miner with the model at hand."""
        ready = self.model_copy()
        ready._model, ready._failures = model, Counter()
        return ready

    @property
    def model(self) -> LanguageModel:
        """The model. Raises `ConfigError` where none was handed over."""
        if self._model is None:
            raise ConfigError(f"miner '{self.miner}' needs a language model; hand one over by with_model(...)")
        return self._model

    @property
    def failures(self) -> Counter[str]:
        """How many exchanges the model was handed in vain since `with_model`, by reason; `mine` counts them here."""
        return self._failures

    def sampled(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """The exchanges of `share` of the conversations, the same ones whatever else is in the table."""
        fraction = hash_rank(self.model.seed, "conversation_id").str.head(8).str.to_integer(base=16) / 16**8
        return exchanges.filter(fraction < self.share)


def failures(miners: Iterable[Miner]) -> dict[str, dict[str, int]]:
    """How often each miner's model gave nothing usable, by reason; miners without failures are left out."""
    with_model = (miner for miner in miners if isinstance(miner, ModelMiner) and miner.failures)
    return {miner.miner: dict(sorted(miner.failures.items())) for miner in with_model}
