"""Preference losses: one file and one line of `LOSSES` per method."""

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from turnabout.core.config import resolve
from turnabout.losses.base import LogRatioLoss, Loss, PairLogps, PairLoss, UnaryLogps, UnaryLoss
from turnabout.losses.dpo import DPO
from turnabout.losses.ipo import IPO
from turnabout.losses.kto import KTO
from turnabout.losses.robust import Robust
from turnabout.losses.simpo import SimPO

LOSSES: dict[str, type[Loss]] = {"dpo": DPO, "ipo": IPO, "kto": KTO, "robust": Robust, "simpo": SimPO}

#: A field of `params.yaml` that holds one loss, chosen by its key `loss`.
AnyLoss = Annotated[SerializeAsAny[Loss], BeforeValidator(partial(resolve, LOSSES, "loss"))]

__all__ = ["LOSSES", "AnyLoss", "LogRatioLoss", "Loss", "PairLogps", "PairLoss", "UnaryLogps", "UnaryLoss"]
