"""How many patients have to be screened for one to be randomised."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialsim import evidence
from trialsim.engine.block import patient_source
from trialsim.evidence import Quantity
from trialsim.scenario.resolved import Variant

ELIGIBLE = "defaults.accrual.eligible_of_screened"
CONSENTING = "defaults.accrual.consenting_of_eligible"
FUNNEL = "operations.recruitment.funnel"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of patients and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Screening:
    """The way from screening to randomisation.

    Parameters
    ----------
    eligible, consenting : Share
        Of those screened, and of the eligible.
    """

    eligible: Share
    consenting: Share

    def number(self, randomised: int) -> int:
        """Return how many have to be screened, on average, for a number randomised."""
        return math.ceil(randomised / (self.eligible.value * self.consenting.value))


def screening_of(variant: Variant, key: str) -> Screening:
    """Return the way to randomisation in a variant.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.

    Notes
    -----
    The eligible share is the scenario's where it has a cut-off or a run-in: that of stratum s is p_s, everybody who is
    randomised into s stands for 1 / p_s screened, so it is 1 / Σ_s share_s / p_s. Otherwise, and for consent, it is the
    evidence catalogue's. Where the scenario says how the trial is run, both are those of its funnel: who fails the
    screening visit or the run-in is not eligible.
    """
    if variant.operations is not None:
        funnel = variant.operations.recruitment.funnel
        eligible = funnel.eligible * funnel.passing_screening * funnel.passing_run_in
        return Screening(Share(eligible, FUNNEL), Share(funnel.consenting, FUNNEL))
    consenting = _from_evidence(CONSENTING)
    selection = patient_source(variant, key).model.selection
    if selection is None:
        return Screening(_from_evidence(ELIGIBLE), consenting)
    screened = float((variant.strata_share / selection.share.prod(axis=1)).sum())
    return Screening(Share(1.0 / screened, "the scenario's eligibility"), consenting)


def _from_evidence(name: str) -> Share:
    quantity: Quantity = evidence.get(name)
    if quantity.value is None:
        raise ValueError(f"{name} has no value")
    return Share(quantity.value, f"{name}: {quantity.tag}, {quantity.citation}")
