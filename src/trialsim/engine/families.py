"""Hypotheses that are tested together: power of each, of any and of all, and the family-wise error rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.decision import family
from trialsim.engine.hypotheses import Hypothesis, hypotheses
from trialsim.engine.plan import Cell
from trialsim.engine.truth import Truth, Truths, is_null
from trialsim.kernels.montecarlo import Interval, Measure, proportion, wilson_interval
from trialsim.kernels.multiplicity import is_rejected, power_summary
from trialsim.kernels.operating_characteristics import FAILED, counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Multiplicity, Variant

if TYPE_CHECKING:
    import pyarrow as pa

Flags = NDArray[np.bool_]


def summarise_family(
    table: pa.Table, variant: Variant, cell: Cell, varied: tuple[str, ...], truths: Truths
) -> dict[str, Any] | None:
    """Return the row of a cell in the summary of hypotheses tested together; None where each is tested alone.

    Parameters
    ----------
    table, variant, cell, varied, truths
        As of `summarise_cell`.

    Notes
    -----
    Power counts rejections in the direction of benefit of hypotheses that are not null; the family-wise error rate is
    the share of replicates in which any null is rejected. Co-primary hypotheses are one claim, which is made where all
    are rejected, each on the side of benefit: a harm in one leaves nothing to claim. Replicates in which an analysis
    of the family failed are in no denominator.
    """
    plan = variant.multiplicity
    if plan is None:
        return None
    members = family(plan)
    usable, rejected, found = _decided(table, variant, plan, truths)
    nulls = [h for h, member in enumerate(members) if is_null(truths[member], variant, member)]
    effects = tuple(h for h in range(len(members)) if h not in nulls)
    complete: Flags = np.asarray(usable.all(axis=1))
    nothing = Measure(math.nan, math.nan)
    power = power_summary(found, among=effects, estimable=complete) if effects else None
    error = power_summary(rejected, among=tuple(nulls), estimable=complete).disjunctive if nulls else nothing
    return {
        "cell": cell.index,
        "variant": variant.index,
        **{path: cell.settings.get(path) for path in varied},
        "n": cell.n,
        "procedure": plan.method,
        "hypotheses": ", ".join(_called(variant, member) for member in members),
        "alpha": plan.alpha,
        "replicates": len(complete),
        "usable": int(complete.sum()),
        "true_effects": len(effects),
        **_share("disjunctive_power", power.disjunctive if power else nothing, int(complete.sum())),
        **_share("conjunctive_power", power.conjunctive if power else nothing, int(complete.sum())),
        **_share("family_wise_error", error, int(complete.sum())),
        "expected_rejections": power.expected_rejections.value if power else math.nan,
        "expected_rejections_mcse": power.expected_rejections.mcse if power else math.nan,
    }


def _share(name: str, measure: Measure, count: int) -> dict[str, float]:
    known = count > 0 and not math.isnan(measure.value)
    interval = wilson_interval(round(measure.value * count), count) if known else Interval(math.nan, math.nan)
    return {
        name: measure.value,
        f"{name}_mcse": measure.mcse,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }


def adjusted_power(table: pa.Table, variant: Variant, hypothesis: Hypothesis, truths: Truths) -> dict[str, float]:
    """Return the power of one hypothesis within its procedure; NaN for one that is outside.

    Parameters
    ----------
    table, variant, truths
        As of `summarise_cell`.
    hypothesis : Hypothesis
    """
    plan = variant.multiplicity
    if plan is None or hypothesis not in family(plan):
        return _share("adjusted_power", Measure(math.nan, math.nan), 0)
    usable, _, found = (
        columns[:, family(plan).index(hypothesis)] for columns in _decided(table, variant, plan, truths)
    )
    count = int(usable.sum())
    return _share("adjusted_power", proportion(int((found & usable).sum()), count), count)


def _decided(table: pa.Table, variant: Variant, plan: Multiplicity, truths: Truths) -> tuple[Flags, Flags, Flags]:
    """Return for replicates and members: whether there is an estimate, a rejection, and one that counts as power."""
    listed, members = hypotheses(variant), family(plan)
    size = table.num_rows // len(listed)
    rows = [table.slice(listed.index(member) * size, size) for member in members]
    usable = np.stack([np.asarray(part["status"]) != FAILED for part in rows], axis=1)
    rejected = np.stack([is_rejected(np.asarray(part["p_adjusted"]), plan.alpha) for part in rows], axis=1)
    found = rejected & np.stack(
        [_counts(part, variant, m, truths[m]) for part, m in zip(rows, members, strict=True)], axis=1
    )
    if plan.method == "co_primary":
        found = np.broadcast_to(found.all(axis=1, keepdims=True), found.shape)
        rejected = found
    return usable, rejected, found


def _counts(rows: pa.Table, variant: Variant, hypothesis: Hypothesis, truth: Truth) -> Flags:
    """Return whether a rejection would count as power: on the side of benefit, or on either where there is none."""
    estimand = variant.estimands[hypothesis.estimand]
    sign = power_sign(estimand, estimand.analyses[hypothesis.analysis].measure, truth.value)
    return counts_as_power(np.asarray(rows["estimate"]), sign)


def _called(variant: Variant, hypothesis: Hypothesis) -> str:
    estimand = variant.estimands[hypothesis.estimand]
    analysis = estimand.analyses[hypothesis.analysis].name
    return estimand.name if hypothesis.analysis == 0 else f"{estimand.name}.{analysis}"
