r"""What a scenario's screening and run-in select by, as latent normals (`trialsim.kernels.selection`).

The screening score correlates with the baseline of its outcome by the screening correlation c, and with any other score
by c times that score's correlation with the baseline: what the screening score tells of later scores it tells through
the baseline. Improvement in the run-in correlates by κ with later improvement, that is by
:math:`-\kappa\,\mathrm{SD}(y_v - b) / \mathrm{SD}(y_v)` with the score at visit v, not at all with the baseline, and
with other outcomes at that visit through the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trialsim.kernels.margins import BoundedMargins
from trialsim.kernels.selection import largest_share, latent_loading, remainder, share_passing
from trialsim.scenario.resolved_entry import Eligibility, Entry, RunIn

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

_GRID_TOLERANCE = 1e-9


class Numbers(NamedTuple):
    """The unselected population.

    Attributes
    ----------
    baseline_mean, baseline_sd : ndarray, shape (S, K), points
    sd : ndarray, shape (S, V, K), points
    correlation : ndarray, shape (S, J, J)
        Of the scores.
    margins : sequence of J BoundedMargins or None
        Batch shape (A, S).
    lower_is_better : sequence of K bool
    """

    baseline_mean: FloatArray
    baseline_sd: FloatArray
    sd: FloatArray
    correlation: FloatArray
    margins: Sequence[BoundedMargins | None]
    lower_is_better: Sequence[bool]


class Selection(NamedTuple):
    """What is selected by: screening first, then the run-in, those there are.

    Attributes
    ----------
    loading : ndarray, shape (A, S, J, E)
        Correlations with the latent scores.
    bound : ndarray, shape (S, E)
        Of each latent normal, to be passed.
    above : tuple of E bool
        Whether those above the bound pass.
    """

    loading: FloatArray
    bound: FloatArray
    above: tuple[bool, ...]

    @property
    def share(self) -> FloatArray:
        """Share of each stratum that passes each step, shape (S, E)."""
        columns = [share_passing(self.bound[:, e], above=up) for e, up in enumerate(self.above)]
        return np.stack(columns, axis=-1)


class SelectionError(ValueError):
    """A correlation with the scores that cannot be.

    Attributes
    ----------
    part : {'eligibility', 'run_in'}
    possible : float
        The largest possible correlation.
    """

    def __init__(self, part: str, possible: float) -> None:
        self.part, self.possible = part, possible
        super().__init__(f"the correlation of {part} can be at most {possible:.4g}")


def build_selection(entry: Entry, numbers: Numbers, own: FloatArray) -> Selection:
    """Return what is selected by.

    Parameters
    ----------
    entry : Entry
        That selects.
    numbers : Numbers
    own : ndarray, shape (A, S, J, J)
        Latent correlations of the scores, without what groups of patients share.

    Raises
    ------
    SelectionError
        If what is selected by would have more in common with the scores than there is.
    """
    columns, bounds, above = [], [], []
    n_arms = len(own)
    left = own
    for part in (entry.eligibility, entry.run_in):
        if part is None:
            continue
        if isinstance(part, Eligibility):
            name, given, margin = "eligibility", part.screening_correlation, numbers.margins[part.outcome]
            target, bound, up = _screening_target(part, numbers), cut_off_bound(part, numbers), part.at_least
        else:
            name, given, margin = "run_in", part.correlation, None
            target, bound, up = _run_in_target(part, numbers), run_in_bound(part), False
        wanted = np.broadcast_to(target, (n_arms, *target.shape))
        loading = latent_loading(wanted, margin, numbers.margins)
        rest = None if loading is None else remainder(left, loading[..., None])
        if loading is None or rest is None:
            raise SelectionError(name, given * largest_share(left, wanted, margin, numbers.margins))
        left = rest
        columns.append(loading)
        bounds.append(bound)
        above.append(up)
    return Selection(np.stack(columns, axis=-1), np.stack(bounds, axis=-1), tuple(above))


def _screening_target(eligibility: Eligibility, numbers: Numbers) -> FloatArray:
    return np.asarray(eligibility.screening_correlation * numbers.correlation[:, eligibility.outcome])


def _run_in_target(run_in: RunIn, numbers: Numbers) -> FloatArray:
    """Return the correlations of improvement in the run-in with the scores, shape (S, J)."""
    n_strata, n_visits, n_outcomes = numbers.sd.shape
    k = run_in.outcome
    target = np.zeros((n_strata, n_outcomes * (n_visits + 1)))
    for v in range(n_visits):
        at = (v + 1) * n_outcomes + k
        sd = sd_of_change(numbers, v, k)
        with_score = run_in.correlation * sd / numbers.sd[:, v, k] * (-1.0 if numbers.lower_is_better[k] else 1.0)
        same_day = slice((v + 1) * n_outcomes, (v + 2) * n_outcomes)
        target[:, same_day] = with_score[:, None] * numbers.correlation[:, at, same_day]
    return target


def sd_of_change(numbers: Numbers, visit: int, outcome: int) -> FloatArray:
    """Return the SD of the change from baseline to a visit in the unselected population, shape (S,), points."""
    size = len(numbers.lower_is_better)
    correlation = numbers.correlation[:, outcome, (visit + 1) * size + outcome]
    first, then = numbers.baseline_sd[:, outcome], numbers.sd[:, visit, outcome]
    return np.asarray(np.sqrt(first**2 + then**2 - 2.0 * correlation * first * then))


def cut_off_bound(eligibility: Eligibility, numbers: Numbers) -> FloatArray:
    """Return the latent bound that true screening scores must pass, shape (S,); inflation lets in some from below."""
    k = eligibility.outcome
    cut_off = eligibility.cut_off - eligibility.inflation_window
    margin = numbers.margins[k]
    if margin is None:
        return np.asarray((cut_off - numbers.baseline_mean[:, k]) / numbers.baseline_sd[:, k])
    # The score is the value with as many values below it as thresholds are below the latent.
    if eligibility.at_least:
        first = int(np.sum(margin.values < cut_off - _GRID_TOLERANCE)) - 1
    else:
        first = int(np.sum(margin.values <= cut_off + _GRID_TOLERANCE)) - 1
    thresholds = margin.thresholds[0]
    edges = np.full((len(thresholds), 1), np.inf)
    return np.asarray(np.concatenate([thresholds, edges, -edges], axis=1)[:, first])


def run_in_bound(run_in: RunIn) -> FloatArray:
    """Return the latent bound of improvement in the run-in, shape (S,), below which nobody is excluded."""
    return np.asarray((run_in.response - run_in.improvement_mean) / run_in.improvement_sd)
