"""What running a trial takes: months, money. The one place where operations and comparisons meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trialsim.scenario.resolved import Resolved, Variant

WITHOUT = "the scenario has no operations, which say how patients are recruited and what a trial costs"


class Amount(NamedTuple):
    """One operational measure and its Monte Carlo standard error, 0 where it is exact."""

    value: float
    mcse: float


def operational_metrics(resolved: Resolved, variant: Variant, n: int) -> Mapping[str, Amount] | None:
    """Return months from the first site to the last visit (`months`) and the cost (`cost_usd`) of a design.

    Parameters
    ----------
    resolved : Resolved
    variant : Variant
        One of its variants.
    n : int
        Number randomised.

    Returns
    -------
    mapping of str to Amount, or None
        None where the scenario does not describe its operations.
    """
    return None
