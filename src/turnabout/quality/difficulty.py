"""Ranking difficulty: by how much the policy before training prefers the reply that people rejected.

As long as the DPO loss of a pair is above −log σ(β·c), it is ranked wrongly, and few of those that begin so are ever
turned round (Chen et al. 2024, arXiv 2405.19534).
"""

from turnabout.quality.readings import Floats, Readings


def ranking_difficulty(read: Readings) -> Floats:
    """c = log π(rejected) − log π(chosen) of each pair, in nats, over all tokens; above 0 it is ranked wrongly."""
    return read.logp_rejected - read.logp_chosen
