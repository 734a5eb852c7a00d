"""Calibration of follow-up likelihoods.

A calibrated likelihood is the change that a reply makes, in units of the follow-up's spread. A follow-up f after a
reply y to the prompt x counts as

    z_f(x, y) = (ℓ(f | x, y) − m_f(x)) / s_f.

m_f(x), the offset, is the mean of ℓ(f | x, y′) over all available replies y′ to x. It is the effect of the prompt
alone: after some questions praise is likely whatever the reply. (Contextual calibration, Zhao et al. 2021, arXiv
2102.09690, subtracts the likelihood after an empty input instead.) s_f, the spread, is the standard deviation of
ℓ(f | x, y) − m_f(x) over all available prompts and replies. Without it, a few long or odd follow-ups, whose likelihood
changes much with every reply, would outvote the others.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def calibrate_logps(logps: "NDArray[np.float64]", prompts: Sequence[int]) -> "NDArray[np.float64]":
    """Return z_f(x, y), shape (contexts, follow-ups).

    `prompts` has a number per context, the same for replies to one prompt. A follow-up whose likelihood does not depend
    on the reply is 0 everywhere.
    """
    _, prompt_of_row = np.unique(prompts, return_inverse=True)
    sums = np.zeros((prompt_of_row.max(initial=-1) + 1, logps.shape[1]))
    np.add.at(sums, prompt_of_row, logps)
    centred = logps - (sums / np.bincount(prompt_of_row)[:, None])[prompt_of_row]
    spread = np.sqrt(np.square(centred).mean(axis=0)) if len(centred) else np.ones(logps.shape[1])
    return centred / np.where(spread > 0, spread, 1.0)
