"""Whether a true effect is a harm; apart from the methods, which are known without any numbers at hand."""

from __future__ import annotations

from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Estimand

SURE = 4.9
"""Standard errors beyond which a simulated value is taken to lie on its side of 0: a false alarm in a million."""


def is_harm(estimand: Estimand, measure: str, true_value: float, se: float = 0.0) -> bool:
    """Return whether a true value surely lies on the side on which no rejection counts as power.

    Parameters
    ----------
    estimand : Estimand
    measure : str
        A key of `MEASURES`.
    true_value, se : float
        With its Monte Carlo standard error, 0 where it is exact.

    Notes
    -----
    Never against a margin, where a little worse is what may be claimed, nor for an interaction, which favours nobody.
    """
    return power_sign(estimand, measure, true_value) * true_value < -max(SURE * se, NULL_TOLERANCE)
