"""Benefit-signed numbers: the only place where a difference is turned so that more is better.

Everywhere else effects are active minus control on the score as it is; readers of a report want to know who did
better. Names that hold a turned number start with `benefit_`.
"""

from __future__ import annotations


def benefit_points(difference: float, *, lower_is_better: bool) -> float:
    """Return a difference (active minus control, points) signed so that a positive number favours active."""
    turned = -difference if lower_is_better else difference
    return turned + 0.0  # no negative zero


def benefit_words(difference: float, *, active: str, control: str, lower_is_better: bool) -> str:
    """Return who does better and by how many points, in words.

    A difference that shows as 0.00 counts as none.
    """
    benefit = benefit_points(difference, lower_is_better=lower_is_better)
    if round(abs(benefit), 2) == 0.0:
        return f"no difference between {active} and {control}"
    better, worse = (active, control) if benefit > 0 else (control, active)
    return f"{better} better than {worse} by {abs(benefit):.2f} points"
