"""Trials per second of conditional-mean imputation with jackknife on one core, and the one-step variant's error."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.imputation import Model, Target, conditional_mean, draw_normals, multiple_imputation

Array = NDArray[np.float64]
Index = NDArray[np.intp]
R, N, V = 20, 200, 5
REPEATS = 5
DRAWS = 20


def make_data(intermittent: float = 0.0) -> tuple[Array, Array, Index, Index]:
    """Return y (R, N, V) with 20 % dropout, covariates (intercept, baseline, arm, stratum), arms and events."""
    rng = np.random.default_rng(20230419)
    baseline = rng.normal(18.0, 3.6, (R, N))
    arm = np.tile(np.arange(N) % 2, (R, 1))
    stratum = rng.integers(0, 2, (R, N))
    factor = np.linalg.cholesky(0.8 ** np.abs(np.subtract.outer(np.arange(V), np.arange(V))))
    y = 12.0 + 0.4 * baseline[..., None] - 2.0 * arm[..., None] + 5.3 * rng.normal(size=(R, N, V)) @ factor.T
    event = np.where(rng.random((R, N)) < 0.2, rng.integers(1, V, (R, N)), V)
    y[np.arange(V) >= event[..., None]] = np.nan
    if intermittent:
        y[rng.random(y.shape) < intermittent] = np.nan
    return y, np.stack([np.ones((R, N)), baseline, arm, stratum], axis=2), arm, event


def median_seconds(function: Callable[[], object]) -> float:
    """Return the median time of a call, after one call to warm up."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    target = [Target(V - 1, (0.0, 0.0, 1.0, 0.0))]
    print(f"Jump to reference, analysis of covariance at the last visit; N = {N}, V = {V}, 20 % dropout; one core.")
    print(f"{'model':58} {'full /s':>9} {'one-step /s':>12} {'largest error of its SE':>24}")
    rows = [
        ("monotone, all covariates crossed with visit", 0.0, 0, False),
        ("monotone, stratum constant over visits", 0.0, 1, False),
        ("monotone, stratum constant, a covariance for each arm", 0.0, 1, True),
        ("intermittent too (5 %), stratum constant", 0.05, 1, False),
    ]
    for name, intermittent, constant, by_arm in rows:
        data = make_data(intermittent)
        model = Model("jump_to_reference", arm_columns=(2,), n_constant=constant, by_arm=by_arm)

        run = partial(conditional_mean, *data, target, model)
        full, step = run(), run(jackknife="one_step")
        slow, fast = median_seconds(run), median_seconds(partial(run, jackknife="one_step"))
        error = np.abs(step.se / full.se - 1.0).max()
        print(f"{name:58} {R / slow:9.1f} {R / fast:12.1f} {error:24.1e}")
    data = make_data()
    model = Model("jump_to_reference", arm_columns=(2,), n_constant=1)
    normals = draw_normals(np.random.default_rng(1), data[0].shape, data[1].shape[2], model, 2, DRAWS)
    seconds = median_seconds(lambda: multiple_imputation(*data, target, model, normals))
    print(f"Multiple imputation, {DRAWS} draws: {R / seconds:.1f} trials/s")


if __name__ == "__main__":
    main()
