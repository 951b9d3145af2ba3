r"""How recruitment is expected to go, without simulating it: the twin of `trialsim.operations.recruit`.

By day t site c has recruited a Poisson number with mean :math:`\lambda_c G_c(t)`, :math:`\lambda_c` gamma and
:math:`G_c` the time at full strength since its opening. The number over all sites has the mean and variance

.. math:: m = \sum_c \lambda E(G_c), \qquad m + v, \quad v = \sum_c \lambda^2 \{(1 + 1/\alpha) E(G_c^2) - E(G_c)^2\},

and is taken as negative binomial of size :math:`m^2 / v`: exactly so where sites are alike and open on one day, by
matched moments otherwise (Anisimov and Fedorov 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.kernels.amounts import amount_quantile
from trialsim.kernels.recruitment import at_least, cumulated, mixed_moments, site_intensity
from trialsim.operations.recruit import common_factor, decay_per_day
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Operations, Site

Array = NDArray[np.float64]

OPENINGS = 200
"""Equally likely openings that stand for a distribution of the opening day."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedRecruitment:
    """The number randomised by each day, had recruitment no end but its horizon.

    Parameters
    ----------
    mean, sd : ndarray, shape (T,)
    size : ndarray, shape (T,)
        Of the negative binomial; infinite for a Poisson number.
    """

    mean: Array
    sd: Array
    size: Array

    def reached(self, number: int) -> Array:
        """Return the probability that so many have been randomised by each day, shape (T,)."""
        return at_least(number, self.mean, self.size)


def expected_recruitment(operations: Operations, days: ArrayLike) -> ExpectedRecruitment | None:
    """Return what recruitment should be by each day; None with quotas, which have no such form.

    Parameters
    ----------
    operations : Operations
    days : array_like, shape (T,), calendar days
    """
    recruitment = operations.recruitment
    if any(quota is not None for quota in recruitment.quotas):
        return None
    until = np.minimum(np.asarray(days, dtype=np.float64), recruitment.horizon_days) - recruitment.funnel.screening_days
    mean, mixing = np.zeros(len(until)), np.zeros(len(until))
    for site in operations.sites:
        rate = site.rate_per_month / DAYS_PER_MONTH
        of_site = mixed_moments(rate, recruitment.rate_shape, _exposure(operations, site, until))
        mean, mixing = mean + of_site[0], mixing + of_site[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(mixing > 1e-12 * mean**2, mean**2 / mixing, np.inf)
    return ExpectedRecruitment(mean, np.sqrt(mean + mixing), size)


def _exposure(operations: Operations, site: Site, until: Array) -> Array:
    """Return the days at full strength of a site by each day, for equally likely openings, shape (Q, T)."""
    middle = (np.arange(OPENINGS) + 0.5) / OPENINGS
    opened, times = np.unique(
        np.ceil(amount_quantile(site.opens_days.kind, site.opens_days.parameters, middle)), return_counts=True
    )
    common = common_factor(operations)
    day = np.arange(len(common), dtype=np.float64)
    daily = site_intensity(np.ones(1), opened[:, None], day, decay_per_day=decay_per_day(operations)) * common
    cumulative = cumulated(daily)
    time = np.clip(until, 0.0, len(common))
    whole = np.minimum(time.astype(np.intp), len(common) - 1)
    exposure = cumulative[:, whole] + (time - whole) * (cumulative[:, whole + 1] - cumulative[:, whole])
    return np.repeat(exposure, times, axis=0)
