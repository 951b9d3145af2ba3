"""What happens to patients besides the course that a scenario asks for, a module each; off by default."""

from __future__ import annotations

from collections.abc import Iterable

from trialsim.patients.mechanisms.base import Mechanism, State
from trialsim.scenario.resolved import Variant

__all__ = ["Mechanism", "State", "mechanisms_of"]


def mechanisms_of(variant: Variant, *, without: Iterable[str] = ()) -> tuple[Mechanism, ...]:
    """Return the mechanisms of a variant, in the order in which they act.

    Parameters
    ----------
    variant : Variant
    without : iterable of str
        Names of events that do not happen: the world of a hypothetical strategy.
    """
    return ()
