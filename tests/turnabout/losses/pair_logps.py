"""Log-probabilities of two pairs, for losses computed by hand."""

import torch

from turnabout.losses import PairLogps

TOKENS = {"chosen_tokens": torch.tensor([4, 5]), "rejected_tokens": torch.tensor([3, 2])}
POLICY = PairLogps(chosen=torch.tensor([-10.0, -20.0]), rejected=torch.tensor([-9.0, -4.0]), **TOKENS)
REFERENCE = PairLogps(chosen=torch.tensor([-12.0, -18.0]), rejected=torch.tensor([-6.0, -8.0]), **TOKENS)


def compute_delta() -> torch.Tensor:
    """Return Δ = ρ_w − ρ_l of each pair: 5 and −6."""
    return (POLICY.chosen - REFERENCE.chosen) - (POLICY.rejected - REFERENCE.rejected)
