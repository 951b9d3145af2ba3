"""Which outcomes have to be made, so that what a scenario asks can be answered."""

from __future__ import annotations

from trialsim.scenario.resolved import Variant


def needed_outcomes(variant: Variant) -> frozenset[int]:
    """Return the outcomes on whose scores the estimands depend, or anything that happens to patients.

    Parameters
    ----------
    variant : Variant

    Returns
    -------
    frozenset of int
        Indices into the variant's outcomes. The scores of the others change no estimate, and nobody's fate.
    """
    needed = {estimand.outcome for estimand in variant.estimands if estimand.endpoint.kind != "count"}
    for part in (variant.dropout, variant.intermittent):
        if part is not None and part.score_hazard_ratio_per_sd != 1.0:
            needed.add(part.outcome)
    needed.update(event.outcome for event in variant.events)
    if variant.entry is not None:
        needed.update(part.outcome for part in (variant.entry.eligibility, variant.entry.run_in) if part is not None)
    return frozenset(needed)
