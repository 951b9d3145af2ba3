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
FUNNEL = "the scenario's funnel"


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
    eligible, consenting, passing : Share
        Of those screened, of the eligible, and of the consenting: who passes screening and the run-in.
    """

    eligible: Share
    consenting: Share
    passing: Share

    def number(self, randomised: int) -> int:
        """Return how many have to be screened, on average, for a number randomised."""
        return math.ceil(randomised / (self.eligible.value * self.consenting.value * self.passing.value))


def screening_of(variant: Variant, key: str) -> Screening:
    """Return the way to randomisation in a variant.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.

    Notes
    -----
    With `operations` all shares are those of its funnel, which the trial is run with. Otherwise the eligible share is
    the scenario's where it has a cut-off or a run-in: that of stratum s is p_s, everybody who is randomised into s
    stands for 1 / p_s screened, so it is 1 / Σ_s share_s / p_s. Else, and for consent, it is the evidence catalogue's.
    """
    if variant.operations is not None:
        funnel = variant.operations.recruitment.funnel
        passing = funnel.passing_screening * funnel.passing_run_in
        eligible, consenting = _own(funnel.eligible, ELIGIBLE), _own(funnel.consenting, CONSENTING)
        return Screening(eligible, consenting, Share(passing, FUNNEL))
    consenting, passed = _from_evidence(CONSENTING), Share(1.0, "not in the scenario")
    selection = patient_source(variant, key).model.selection
    if selection is None:
        return Screening(_from_evidence(ELIGIBLE), consenting, passed)
    screened = float((variant.strata_share / selection.share.prod(axis=1)).sum())
    return Screening(Share(1.0 / screened, "the scenario's eligibility"), consenting, passed)


def _own(value: float, name: str) -> Share:
    """Return a share of the scenario's funnel, with its origin where it is the catalogue's."""
    known = _from_evidence(name)
    return known if known.value == value else Share(value, FUNNEL)


def _from_evidence(name: str) -> Share:
    quantity: Quantity = evidence.get(name)
    if quantity.value is None:
        raise ValueError(f"{name} has no value")
    return Share(quantity.value, f"{name}: {quantity.tag}, {quantity.citation}")
