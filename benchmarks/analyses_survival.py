"""Fits per second of the survival and count kernels on one core."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import numpy as np

from trialsim.kernels.counts import fit_counts
from trialsim.kernels.survival import fit_cox, kaplan_meier, log_rank, restricted_mean

R, N = 250, 200
REPEATS = 15


def median_seconds(function: Callable[[], object]) -> float:
    """Return the median processor time of a call, after one to warm up: other work on the machine does not count."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(20230419)
    arm = np.tile(np.arange(N) % 2, (R, 1))
    stratum = rng.integers(0, 3, (R, N))
    baseline = rng.normal(18.0, 3.6, (R, N))
    age = rng.normal(42.0, 12.0, (R, N))
    to_event = rng.exponential(60.0, (R, N)) * np.exp(0.5 * arm - 0.03 * (baseline - 18.0))
    censored = rng.uniform(20.0, 120.0, (R, N))
    time_, event = np.minimum(to_event, censored), to_event <= censored
    days = np.ceil(time_)
    x1 = arm[..., None].astype(float)
    x3 = np.stack([arm, baseline, age], axis=2).astype(float)
    unit1, unit3 = np.array([1.0]), np.array([1.0, 0.0, 0.0])
    exposure = rng.uniform(0.3, 1.0, (R, N))
    y = rng.poisson(2.0 * exposure * np.exp(-0.5 * arm) * rng.gamma(1.25, 0.8, (R, N))).astype(float)
    x = np.stack([np.ones((R, N)), arm, stratum == 1, stratum == 2], axis=2).astype(float)
    unit4 = np.array([0.0, 1.0, 0.0, 0.0])
    cases: dict[str, Callable[[], object]] = {
        "log-rank": lambda: log_rank(time_, event, arm),
        "log-rank, times in whole days": lambda: log_rank(days, event, arm),
        "log-rank, three strata": lambda: log_rank(time_, event, arm, stratum=stratum, n_strata=3),
        "Cox, arm": lambda: fit_cox(time_, event, x1, unit1),
        "Cox, arm and two covariates": lambda: fit_cox(time_, event, x3, unit3),
        "Cox, the same, whole days (Efron)": lambda: fit_cox(days, event, x3, unit3),
        "Cox, the same, three strata": lambda: fit_cox(days, event, x3, unit3, stratum=stratum, n_strata=3),
        "Kaplan-Meier": lambda: kaplan_meier(time_, event),
        "restricted mean survival time": lambda: restricted_mean(time_, event, arm, 60.0),
        "negative binomial, arm and stratum": lambda: fit_counts(y, x, unit4, exposure=exposure),
        "Poisson, the same": lambda: fit_counts(y, x, unit4, exposure=exposure, poisson=True),
    }
    print(f"N = {N}, blocks of {R}, one core, processor time, medians of {REPEATS}\n")
    print(f"{'':44}{'fits/s':>12}")
    for name, function in cases.items():
        print(f"{name:44}{R / median_seconds(function):12,.0f}")


if __name__ == "__main__":
    main()
