"""What a pilot would teach: how assurance would move after it, before it is run (preposterior analysis).

A pilot is a small trial of the same design. Each draw of the priors runs pilots of its own, whose estimate and standard
error are told from each other by a normal likelihood with the moments that the simulated pilots of every draw have
(a synthetic likelihood). The draws, weighted by the likelihood of what a pilot shows, are what is believed after it.

References
----------
Raiffa H, Schlaifer R (1961). Applied Statistical Decision Theory. Harvard Business School.
Wood SN (2010). Statistical inference for noisy nonlinear ecological dynamic systems. Nature 466:1102-1104.
Heath A, Kunst N, Jackson C, et al. (2020). Calculating the expected value of sample information in practice. Medical
Decision Making 40:314-326.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.ensembles import noise_of_shares, without_noise
from trialsim.kernels.jackknife import delete_a_group

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PILOTS_PER_DRAW = 4
"""Pilots of each draw whose results are looked at; the others tell its likelihood."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


LEAST_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class PilotValue:
    """What a pilot of n patients would teach about the largest trial.

    Parameters
    ----------
    n_pilot : int
        Randomised in the pilot.
    before : float
        Assurance without it.
    expected, expected_mcse : float
        Mean assurance after it: but for Monte Carlo error, that before.
    sd, sd_mcse : float
        Standard deviation of the assurance after it.
    quantiles : dict of str to float
    go : float
        Assurance from which the trial is run.
    run_before : bool
        Whether it would be run without a pilot.
    chance_run, chance_run_mcse : float
        That it would be run after the pilot.
    chance_changed, chance_changed_mcse : float
        That the pilot changes the decision.
    value, value_mcse : float
        By how much the pilot raises the expected worth of the better decision, where running the trial is worth its
        chance of success less `go`, and not running it 0.
    value_of_certainty : float
        The same for knowing all values that have a prior: no pilot is worth more.
    failed : float
        Share of pilots without an estimate.
    effective_draws : float
        Median effective number of draws after a pilot.
    after : list of float
        Assurance after each simulated pilot, the noise of finite draws taken out of its spread.
    """

    n_pilot: int
    before: float
    expected: float
    expected_mcse: float
    sd: float
    sd_mcse: float
    quantiles: dict[str, float]
    go: float
    run_before: bool
    chance_run: float
    chance_run_mcse: float
    chance_changed: float
    chance_changed_mcse: float
    value: float
    value_mcse: float
    value_of_certainty: float
    failed: float
    effective_draws: float
    after: list[float]


class _Seen(NamedTuple):
    """What pilots show and how likely each draw makes it.

    Attributes
    ----------
    log_likelihood : ndarray, shape (K, M)
        Of each pilot at each draw; −inf at the draw that it comes from, which is not to judge itself.
    origin : ndarray of int, shape (K,)
    """

    log_likelihood: Array
    origin: NDArray[np.intp]


def pilot_values(
    sizes: tuple[int, ...], pilots: Array, power: Array, success: Array, groups: NDArray[np.intp], go: float
) -> tuple[PilotValue, ...]:
    """Return what pilots of several sizes would teach; nothing where no trial could be analysed.

    Parameters
    ----------
    sizes : tuple of int
        P numbers randomised.
    pilots : ndarray, shape (M, P, 2, R)
        Estimate and logarithm of its standard error of R pilots of each draw; NaN where there is none.
    power : ndarray, shape (M,)
        Of the trial, at each draw.
    success : ndarray, shape (M, R)
        Of its replicates, NaN where an analysis failed.
    groups : ndarray of int, shape (M,)
        Independent groups of draws.
    go : float
        Assurance from which the trial is run.
    """
    sound = np.isfinite(power)
    if not sound.any():
        return ()
    return tuple(
        _value(n, pilots[sound, p], power[sound], success[sound], groups[sound], go) for p, n in enumerate(sizes)
    )


def _value(n: int, shown: Array, power: Array, success: Array, groups: NDArray[np.intp], go: float) -> PilotValue:
    seen = _likelihood(shown)

    def numbers(keep: Flags) -> Array:
        after, noise, _ = _after(seen, power, keep)
        return _numbers(after, noise, power[keep], go)

    values, errors = delete_a_group(numbers, groups)
    everybody = np.ones(len(power), dtype=bool)
    after, noise, effective = _after(seen, power, everybody)
    clean = np.clip(without_noise(after, noise), 0.0, 1.0)
    before = float(power.mean())
    known = np.clip(without_noise(power, noise_of_shares(success)), 0.0, 1.0)
    expected, sd, chance, changed, value = values.tolist()
    return PilotValue(
        n_pilot=n,
        before=before,
        expected=expected,
        expected_mcse=float(errors[0]),
        sd=sd,
        sd_mcse=float(errors[1]),
        quantiles={f"q{100 * q:g}": float(x) for q, x in zip(QUANTILES, np.quantile(clean, QUANTILES), strict=True)},
        go=go,
        run_before=before >= go,
        chance_run=chance,
        chance_run_mcse=float(errors[2]),
        chance_changed=changed,
        chance_changed_mcse=float(errors[3]),
        value=value,
        value_mcse=float(errors[4]),
        value_of_certainty=_worth(known, go) - max(before - go, 0.0),
        failed=float(np.mean(~np.isfinite(shown[:, 0]))),
        effective_draws=float(np.median(effective)) if len(effective) else 0.0,
        after=np.sort(clean).tolist(),
    )


def _numbers(after: Array, noise: float, power: Array, go: float) -> Array:
    """Return mean and SD of the assurance after pilots, the chances that it is run or changed, and what it is worth."""
    if not len(after):
        return np.full(5, np.nan)
    clean, before = without_noise(after, noise), float(power.mean())
    run = float(np.mean(clean >= go))
    changed = 1.0 - run if before >= go else run
    value = _worth(clean, go) - max(float(clean.mean()) - go, 0.0)
    return np.array([after.mean(), clean.std(ddof=1), run, changed, value])


def _worth(assurance: Array, go: float) -> float:
    """Return the expected worth of running the trial where it is worth it."""
    return float(np.mean(np.maximum(assurance - go, 0.0)))


def _likelihood(shown: Array) -> _Seen:
    """Return how likely every draw makes what some of the pilots show.

    Parameters
    ----------
    shown : ndarray, shape (M, 2, R)
    """
    usable = np.isfinite(shown[:, 0])
    count = usable.sum(axis=1)
    able = np.flatnonzero(count > PILOTS_PER_DRAW)
    mean, inverse, log_det = _moments(shown[able], usable[able])
    looked = [(m, r) for m in able.tolist() for r in np.flatnonzero(usable[m])[:PILOTS_PER_DRAW].tolist()]
    likelihood = np.full((len(looked), len(shown)), -np.inf)
    if not looked:
        return _Seen(likelihood, np.empty(0, dtype=np.intp))
    origin = np.array([m for m, _ in looked], dtype=np.intp)
    results = shown[origin, :, [r for _, r in looked]]
    for column, m in enumerate(able):
        distance = results - mean[column]
        # A pilot that cannot be analysed is as likely at one draw as at another, but for its share.
        share = np.log(count[m] / shown.shape[2])
        quadratic = np.einsum("ki,ij,kj->k", distance, inverse[column], distance)
        likelihood[:, m] = share - 0.5 * (quadratic + log_det[column])
    likelihood[np.arange(len(looked)), origin] = -np.inf
    return _Seen(likelihood, origin)


def _moments(shown: Array, usable: Flags) -> tuple[Array, Array, Array]:
    """Return mean (M, 2), inverse covariance (M, 2, 2) and its log determinant (M,) of what pilots show."""
    count = usable.sum(axis=1)[:, None]
    values = np.where(usable[:, None], shown, 0.0)
    mean = values.sum(axis=2) / count
    centred = np.where(usable[:, None], shown - mean[..., None], 0.0)
    covariance = np.einsum("mir,mjr->mij", centred, centred) / (count - 1)[..., None]
    # The mean is itself known from finitely many pilots; and an analysis may always give the same standard error.
    covariance = covariance * (1.0 + 1.0 / count)[..., None] + LEAST_SPREAD * np.eye(2)
    return mean, np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1]


def _after(seen: _Seen, power: Array, keep: Flags) -> tuple[Array, float, Array]:
    """Return assurance after each pilot of the draws kept, the mean variance of its noise, and the effective draws."""
    likelihood = seen.log_likelihood[keep[seen.origin]][:, keep]
    if not likelihood.size:
        return np.empty(0), 0.0, np.empty(0)
    weights = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    after = weights @ power[keep]
    squares = weights**2
    noise = squares @ power[keep] ** 2 - 2.0 * after * (squares @ power[keep]) + after**2 * squares.sum(axis=1)
    return after, float(noise.mean()), 1.0 / squares.sum(axis=1)
