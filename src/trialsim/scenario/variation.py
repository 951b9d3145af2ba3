"""How patients differ and what of them is missed, as the engine takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim import evidence
from trialsim.scenario import resolved, schema
from trialsim.scenario.arrangement import MECHANISMS
from trialsim.scenario.case import Case

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray


def intermittent(case: Case) -> resolved.Intermittent | None:
    """Return which visits are missed by who has not left; None where there are none."""
    if case.content.missing is None:
        return None
    given, path = case.content.missing.intermittent, ("missing", "intermittent")
    by_day = {float(day): share for day, share in given.share.items()} if isinstance(given.share, dict) else None
    share = [given.share if by_day is None else by_day.get(day, 0.0) for day in case.visits]
    outcome = given.outcome or case.content.estimands["primary"].outcome
    case.ledger.note((*path, "share"), given.share)
    case.ledger.note((*path, "model"), given.model, MECHANISMS[given.model])
    if given.model != "mcar":
        case.ledger.note((*path, "outcome"), outcome)
    return resolved.Intermittent(
        model=given.model,
        share=_frozen(share),
        outcome=case.outcomes.index(outcome) if given.model != "mcar" else 0,
        score_hazard_ratio_per_sd=_hazard_ratio(case, given),
    )


def _hazard_ratio(case: Case, given: schema.Intermittent) -> float:
    path = ("missing", "intermittent", "score_hazard_ratio_per_sd")
    if given.model == "mcar":
        return 1.0
    if given.score_hazard_ratio_per_sd is not None:
        case.ledger.note(path, given.score_hazard_ratio_per_sd)
        return given.score_hazard_ratio_per_sd
    quantity = evidence.get("defaults.dropout.score_hazard_ratio_per_sd")
    case.ledger.evidence(path, quantity, note="that of leaving")
    return float(quantity.value or 1.0)


def _frozen(values: object) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
