"""CHES: how alike the policy's own hidden states find both replies of a pair.

Training on pairs it finds alike pushes the chosen reply down together with the rejected one (likelihood displacement;
Razin et al. 2024, arXiv 2410.08847).
"""

from turnabout.quality.readings import Floats, Readings


def length_normalised_ches(read: Readings) -> Floats:
    """⟨S⁺, S⁻⟩ − ‖S⁺‖² of each pair, S the mean over a reply's states, pads left out; the higher, the more alike.

    The paper's ⟨Σ⁺, Σ⁻⟩/(n⁺n⁻) − ‖Σ⁺‖²/(n⁺)² for sums over n states.
    """
    return read.between - read.of_chosen
