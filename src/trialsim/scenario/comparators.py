"""What the arms are told apart by: the drug, and what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario import schema

DRUG = "ketamine"
"""Infusion of the arms in which 'active' is the right guess."""

PERFECT = "perfect"
"""Masking under which nothing tells the arms apart."""

COMPARATORS = ("midazolam", "saline")
"""Control infusions of which guesses are known."""


def usual_comparator(arms: Mapping[str, schema.Arm | None]) -> str | None:
    """Return the control infusion whose guesses are taken where none are given; None where it is not just one.

    Parameters
    ----------
    arms : mapping of str to Arm
    """
    infused = {arm.infusion for arm in arms.values() if arm is not None}
    known = [kind for kind in COMPARATORS if kind in infused]
    return known[0] if len(known) == 1 and DRUG in infused else None
