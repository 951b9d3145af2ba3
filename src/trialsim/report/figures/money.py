"""Axes of money."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axis import Axis
from matplotlib.ticker import Formatter

from trialsim.report.operations import usd, usd_ticks


class _Money(Formatter):
    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the words of one amount alone."""
        return usd(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the words of all ticks of an axis, which differ."""
        return usd_ticks(values)


def money_axis(axis: Axis) -> None:
    """Show amounts of money on an axis in short words that tell its ticks apart."""
    axis.set_major_formatter(_Money())
