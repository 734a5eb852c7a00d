"""Interface of miners: exchanges in, signals out.

A miner may need a language model, which it gets by `ModelMiner.with_model`.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Self

import polars as pl
from pydantic import Field, PrivateAttr

from turnabout.core.config import Section
from turnabout.core.conversations import rank_by_hash
from turnabout.errors import ConfigError

if TYPE_CHECKING:
    from turnabout.generation.base import Generator
    from turnabout.models.checkpoints import Checkpoint


class LanguageModel(NamedTuple):
    """The language model that miners share; it is opened once for all of them."""

    generator: "Generator"
    """The model of `mine.generator`, which writes as the assistant; its answers are stored, so that a rerun asks
    nothing twice."""
    checkpoint: "Checkpoint"
    """The weights of `mine.model`, for likelihoods (`follow_ups.likelihood`)."""
    batch_size: int
    seed: int


class Miner(Section):
    """A method that finds feedback.

    `miner` is its key in `params.yaml`. `mine` gets whole conversations but only a part of the log at a time: its
    result for a conversation must not depend on which other conversations are in the table.
    """

    miner: str
    version: ClassVar[str]
    """Raised whenever the same exchange may get another signal; stored with every signal."""
    needs: ClassVar[Literal["nothing", "model"]] = "nothing"
    languages: ClassVar[frozenset[str] | None]
    """ISO 639 codes of the languages in whose texts it finds feedback; null for any, empty if it reads no texts."""

    def hears(self, language: str) -> bool:
        """Return whether it finds feedback in texts of a language, an ISO 639 code."""
        return self.languages is None or language in self.languages

    @abstractmethod
    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return the signals (`schemas.FEEDBACK`, any order) in exchanges.

        `exchanges` is `conversations.EXCHANGES`.
        """


class ModelMiner(Miner):
    """A miner that reads with a language model.

    `with_model` hands the model over, and `mine` uses it as `self.model`.
    """

    needs: ClassVar[Literal["nothing", "model"]] = "model"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the conversations that are read, chosen by a hash of their ids: each reply costs model passes."""
    _model: LanguageModel | None = PrivateAttr(None)
    _failures: Counter[str] = PrivateAttr(default_factory=Counter)

    def with_model(self, model: LanguageModel) -> Self:
        """Return a copy of the miner with the model and without failures."""
        ready = self.model_copy()
        ready._model, ready._failures = model, Counter()
        return ready

    @property
    def model(self) -> LanguageModel:
        """The language model. Raises `ConfigError` where none was handed over."""
        if self._model is None:
            raise ConfigError(f"miner '{self.miner}' needs a language model; hand one over by with_model(...)")
        return self._model

    @property
    def failures(self) -> Counter[str]:
        """Number of exchanges without a usable answer since `with_model`, by reason.

        `mine` counts them here.
        """
        return self._failures

    def select_share(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return the exchanges of `share` of the conversations.

        The choice is a hash of the conversation id, so it does not depend on what else is in the table.
        """
        fraction = rank_by_hash(self.model.seed, "conversation_id").str.head(8).str.to_integer(base=16) / 16**8
        return exchanges.filter(fraction < self.share)


def count_failures(miners: Iterable[Miner]) -> dict[str, dict[str, int]]:
    """Count the unusable answers of each miner's model, by reason.

    Miners without failures are not in the result.
    """
    with_failures = (miner for miner in miners if isinstance(miner, ModelMiner) and miner.failures)
    return {miner.miner: dict(sorted(miner.failures.items())) for miner in with_failures}
