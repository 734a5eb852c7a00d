"""Preference losses: one file per method, one line per method here."""

from turnabout.losses.base import JudgedLogps, Loss, PairLogps, PairLoss, UnaryLoss
from turnabout.losses.dpo import DPO
from turnabout.losses.ipo import IPO
from turnabout.losses.kto import KTO
from turnabout.losses.robust import Robust
from turnabout.losses.simpo import SimPO

LOSSES: dict[str, type[Loss]] = {"dpo": DPO, "ipo": IPO, "kto": KTO, "robust": Robust, "simpo": SimPO}

__all__ = ["LOSSES", "JudgedLogps", "Loss", "PairLogps", "PairLoss", "UnaryLoss"]
