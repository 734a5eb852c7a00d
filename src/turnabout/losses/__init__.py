"""Preference losses: one file per method, one line per method here."""

from turnabout.losses.base import Loss, PairLogps
from turnabout.losses.dpo import DPO
from turnabout.losses.ipo import IPO
from turnabout.losses.robust import Robust
from turnabout.losses.simpo import SimPO

LOSSES: dict[str, type[Loss]] = {"dpo": DPO, "ipo": IPO, "robust": Robust, "simpo": SimPO}

__all__ = ["LOSSES", "Loss", "PairLogps"]
