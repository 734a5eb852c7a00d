"""Calibration of follow-up likelihoods: how much a reply changes a follow-up's likelihood, not how usual it is.

A follow-up f after a reply y to the prompt x counts as

    z_f(x, y) = (ℓ(f | x, y) − m_f(x)) / s_f,

where m_f(x) is the mean of ℓ(f | x, y′) over all replies y′ to x at hand, its offset: what the prompt alone makes of
f, as with praise after a question that draws thanks whatever comes (contextual calibration; Zhao et al. 2021,
arXiv 2102.09690, subtract the likelihood after an empty input). s_f is the standard deviation of ℓ(f | x, y) − m_f(x)
over all prompts and replies at hand: a few long or odd follow-ups, whose likelihood jumps with every reply, would
outvote the others.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def calibrated(logps: "NDArray[np.float64]", prompts: Sequence[int]) -> "NDArray[np.float64]":
    """z_f(x, y), shape (contexts, follow-ups); `prompts` has a number per context, the same for replies to one prompt.

    A follow-up that no reply changes is 0 everywhere.
    """
    _, prompt_of_row = np.unique(prompts, return_inverse=True)
    sums = np.zeros((prompt_of_row.max(initial=-1) + 1, logps.shape[1]))
    np.add.at(sums, prompt_of_row, logps)
    centred = logps - (sums / np.bincount(prompt_of_row)[:, None])[prompt_of_row]
    spread = np.sqrt(np.square(centred).mean(axis=0)) if len(centred) else np.ones(logps.shape[1])
    return centred / np.where(spread > 0, spread, 1.0)
