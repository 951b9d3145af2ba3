"""When infusions are given, by what is written of an arm."""

from __future__ import annotations

from collections.abc import Sequence

from trialsim.scenario.schema import Arm


def days_of_infusions(common: Sequence[float], arm: Arm | None) -> tuple[float, ...]:
    """Return the days of an arm's infusions: its own, or those of the schedule; none where nothing is infused.

    Parameters
    ----------
    common : sequence of float
        Of the schedule.
    arm : Arm or None
        None where nothing is written about it.
    """
    if arm is not None and arm.infusion == "none":
        return ()
    return tuple(common if arm is None or arm.infusions is None else arm.infusions)
