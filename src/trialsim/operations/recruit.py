r"""Who is recruited, where and when: sites that open, gamma rates, quotas, the funnel. Arrays only.

People who would pass everything come as one Poisson process over all sites (`trialsim.kernels.recruitment`), in the
order in which they consent; each is of the next stratum of the sequence that the patient model draws. Who comes when
the quota of the stratum is full is turned away, the others are the participants in turn. Of those who fail a step of
the funnel only the numbers matter: Poisson, independent of who passes (a thinned process).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.amounts import amount_quantile
from trialsim.kernels.recruitment import (
    arrival_times,
    chosen,
    common_factors,
    cumulated,
    expected_by,
    gamma_rates,
    site_intensity,
)
from trialsim.operations.outcome import FUNNEL_STAGES, Enrolment
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Amount, Operations
from trialsim.streams import BLOCK_SIZE, Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
StrataOf = Callable[[int], Index]
"""The strata of the first m who come, shape (R, m); those of fewer are the beginning of those of more."""


def recruit(operations: Operations, streams: Streams, strata_of: StrataOf, n_participants: int) -> Enrolment:
    """Return the recruitment of a block of replicates.

    Parameters
    ----------
    operations : Operations
    streams : Streams
    strata_of : callable
        Asked for exactly `n_participants` where there are no quotas.
    n_participants : int
        Number wanted, N.
    """
    sites = _open_sites(operations, streams)
    lag = operations.recruitment.funnel.screening_days
    accepted = _accept(operations, streams, sites, strata_of, n_participants)
    consent = accepted.consent
    horizon = operations.recruitment.horizon_days
    reached = consent + lag <= horizon
    n_reached = reached.sum(axis=1)
    complete = n_reached >= accepted.target
    rows = np.arange(len(consent))
    last = consent[rows, np.maximum(n_reached - 1, 0)] + lag
    closed = np.where(complete, last, horizon)
    site = np.where(reached, accepted.site, -1)
    return Enrolment(
        day=np.where(reached, consent + lag, np.inf),
        site=site,
        stratum=accepted.stratum,
        n_reached=n_reached,
        closed_day=closed,
        site_opened_day=np.where(sites.opened < closed[:, None], sites.opened, np.inf),
        funnel=_funnel(operations, streams, sites, accepted, site, closed),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sites:
    """Sites as drawn: opening days and rates (R, C), factors common to all (D,), all sites cumulated (R, D + 1)."""

    opened: Array
    rate_per_day: Array
    decay_per_day: float
    common: Array
    cumulative: Array

    def daily(self, c: int) -> Array:
        """Return the intensity of one site on each day, shape (R, D)."""
        day = np.arange(len(self.common), dtype=np.float64)
        rate, opened = self.rate_per_day[:, c, None], self.opened[:, c, None]
        return site_intensity(rate, opened, day, decay_per_day=self.decay_per_day) * self.common


def draw_amount(amount: Amount, streams: Streams, purpose: str, name: str) -> Array:
    """Return one draw of an amount for each replicate, shape (R,)."""
    uniform = np.clip(streams.generator(purpose, name).random(BLOCK_SIZE), 2.0**-54, 1.0 - 2.0**-53)
    return amount_quantile(amount.kind, amount.parameters, uniform)


def common_factor(operations: Operations) -> Array:
    """Return the factor of season and pauses on all rates, on each day up to the horizon, shape (D,)."""
    recruitment = operations.recruitment
    return common_factors(
        max(math.ceil(recruitment.horizon_days), 1),
        season=recruitment.season,
        first_month=operations.first_month,
        days_per_month=DAYS_PER_MONTH,
        pauses=[(pause.from_day, pause.until_day) for pause in recruitment.pauses],
    )


def decay_per_day(operations: Operations) -> float:
    """Return the hazard at which the rate of an open site falls."""
    return -math.log1p(-operations.recruitment.decay_per_month) / DAYS_PER_MONTH


def _open_sites(operations: Operations, streams: Streams) -> _Sites:
    recruitment = operations.recruitment
    opened = np.empty((BLOCK_SIZE, len(operations.sites)))
    rate = np.empty_like(opened)
    for c, site in enumerate(operations.sites):
        opened[:, c] = np.ceil(draw_amount(site.opens_days, streams, "site_opening", site.name))
        uniform = streams.generator("site_rate", site.name).random(BLOCK_SIZE)
        rate[:, c] = gamma_rates(site.rate_per_month / DAYS_PER_MONTH, recruitment.rate_shape, uniform)
    common, decay = common_factor(operations), decay_per_day(operations)
    sites = _Sites(opened, rate, decay, common, np.empty(0))
    total = np.zeros((BLOCK_SIZE, len(common)))
    for c in range(len(operations.sites)):
        total += sites.daily(c)
    return _Sites(opened, rate, decay, common, cumulated(total))


@dataclass(frozen=True, slots=True, eq=False)
class _Accepted:
    """Candidates who were not turned away: time of consent, site, stratum (R, N); who was, by site (R, C).

    `target` (R,) is the number after which recruitment ends.
    """

    consent: Array
    site: Index
    stratum: Index
    turned_away: Index
    target: int


def _accept(operations: Operations, streams: Streams, sites: _Sites, strata_of: StrataOf, n: int) -> _Accepted:
    """Let candidates come until the participants are together or none can come any more."""
    quotas = operations.recruitment.quotas
    most = np.array([n if quota is None else quota for quota in quotas] or [n] * operations.n_strata)
    target = int(min(n, most.sum()))
    last_consent = operations.recruitment.horizon_days - operations.recruitment.funnel.screening_days
    n_candidates = n
    while True:
        shape = n_candidates, BLOCK_SIZE
        level = np.cumsum(streams.generator("arrival").standard_exponential(shape), axis=0).T
        time = arrival_times(sites.cumulative, level)
        time[time > last_consent] = np.inf
        stratum = strata_of(n_candidates)
        taken = (_place_in_stratum(stratum, operations.n_strata) < most[stratum]) & np.isfinite(time)
        if np.all((taken.sum(axis=1) >= target) | np.isinf(time[:, -1])):
            break
        n_candidates *= 2
    before_close = np.cumsum(taken, axis=1) <= target
    taken &= before_close
    turned = ~taken & np.isfinite(time) & (np.cumsum(taken, axis=1) < target)
    at = _sites_of(operations, streams, sites, time)
    return _Accepted(*_in_turn(taken, time, at, stratum, n), _by_site(turned, at, len(operations.sites)), target)


def _place_in_stratum(stratum: Index, n_strata: int) -> Index:
    """Return how many of the same stratum came before, shape (R, M)."""
    place = np.zeros(stratum.shape, dtype=np.intp)
    for s in range(n_strata):
        inside = stratum == s
        place[inside] = (np.cumsum(inside, axis=1) - 1)[inside]
    return place


def _sites_of(operations: Operations, streams: Streams, sites: _Sites, time: Array) -> Index:
    """Return the site at which each candidate came, shape (R, M); any site where none came."""
    uniform = streams.generator("arrival_site").random(time.shape[::-1]).T
    day = np.floor(np.where(np.isfinite(time), time, 0.0))

    def intensity(c: int) -> Array:
        rate, opened = sites.rate_per_day[:, c, None], sites.opened[:, c, None]
        return site_intensity(rate, opened, day, decay_per_day=sites.decay_per_day)

    return chosen(intensity, len(operations.sites), uniform)


def _in_turn(taken: Flags, time: Array, site: Index, stratum: Index, n: int) -> tuple[Array, Index, Index]:
    """Return time, site and stratum of those taken, in turn; who was not reached keeps the stratum of the place."""
    r, m = np.nonzero(taken)
    place = (np.cumsum(taken, axis=1) - 1)[r, m]
    consent = np.full((len(taken), n), np.inf)
    at, of = np.full((len(taken), n), -1, dtype=np.intp), stratum[:, :n].copy()
    consent[r, place], at[r, place], of[r, place] = time[r, m], site[r, m], stratum[r, m]
    return consent, at, of


def _by_site(who: Flags, site: Index, n_sites: int) -> Index:
    """Return numbers of people by site, shape (R, C)."""
    return np.stack([(who & (site == c)).sum(axis=1) for c in range(n_sites)], axis=1)


def _funnel(
    operations: Operations, streams: Streams, sites: _Sites, accepted: _Accepted, site: Index, closed: Array
) -> Index:
    """Return what became of everybody assessed, shape (R, F, C)."""
    funnel = operations.recruitment.funnel
    passed = np.cumprod([funnel.passing_run_in, funnel.passing_screening, funnel.consenting, funnel.eligible])
    failures = dict(zip(("run_in_failed", "screen_failed", "declined", "not_eligible"), _failures(passed), strict=True))
    numbers = np.zeros((BLOCK_SIZE, len(FUNNEL_STAGES), len(operations.sites)), dtype=np.intp)
    numbers[:, FUNNEL_STAGES.index("randomised")] = _by_site(site >= 0, site, len(operations.sites))
    numbers[:, FUNNEL_STAGES.index("turned_away")] = accepted.turned_away
    for c, one in enumerate(operations.sites):
        cumulative = cumulated(sites.daily(c))
        until = expected_by(cumulative, closed)
        in_screening = until - expected_by(cumulative, closed - funnel.screening_days)
        for stage, mean in [("in_screening_at_close", in_screening)] + [(s, until * f) for s, f in failures.items()]:
            drawn = streams.generator("funnel", one.name, stage).poisson(np.maximum(mean, 0.0))
            numbers[:, FUNNEL_STAGES.index(stage), c] = drawn
    numbers[:, 0] = numbers[:, 1:].sum(axis=1)
    return numbers


def _failures(passed: NDArray[np.floating]) -> list[float]:
    """Return how many fail at each step, from the last, for each who passes them all."""
    reaching = 1.0 / passed
    return [float(at - before) for at, before in zip(reaching, np.append(1.0, reaching[:-1]), strict=True)]
