"""Fits per second of the mixed models with a random effect, on one core, from arrays in memory to the p-value."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.nested import fit_nested, group_statistics

Array = NDArray[np.float64]
Integers = NDArray[np.intp]
Df = Literal["satterthwaite", "kenward-roger"]
R, REPEATS, GROUP_SIZE, MISSING = 250, 15, 8, 0.2


def make_data(n: int, *, everybody: bool = False) -> tuple[Array, Array, Integers, Integers]:
    """Return y (R, N), covariates (R, N, 4), groups and arms; therapy groups of 8 in one arm, or clusters in both."""
    rng = np.random.default_rng(20230419)
    arm = np.tile(np.arange(n) >= n // 2, (R, 1)).astype(np.intp)
    place = np.tile(np.arange(n) // GROUP_SIZE, (R, 1))
    group = place if everybody else np.where(arm == 1, (np.arange(n) - n // 2) // GROUP_SIZE, -1)
    if everybody:
        arm = group % 2
    effect = rng.normal(0.0, 2.0, (R, int(group.max()) + 1))
    baseline = rng.normal(18.0, 3.6, (R, n))
    stratum = rng.integers(0, 2, (R, n)).astype(float)
    y = 8.0 + 0.4 * baseline - 2.0 * arm + np.where(group >= 0, effect[np.arange(R)[:, None], group], 0.0)
    y += rng.normal(0.0, 5.0, (R, n)) * np.where(arm == 1, 0.9, 1.1)
    y[rng.random((R, n)) < MISSING] = np.nan
    return y, np.stack([np.ones((R, n)), baseline, arm, stratum], axis=2), group, arm


def median_seconds(function: Callable[[], object]) -> float:
    """Return the median time of a call, after one call to warm up."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rates(n: int, df: Df, *, per_arm: bool, everybody: bool = False) -> tuple[float, float]:
    """Return fits per second, and those once the sums per group are known."""
    y, x, group, arm = make_data(n, everybody=everybody)
    contrast = np.array([0.0, 0.0, 1.0, 0.0])
    residual, n_residual = (arm, 2) if per_arm else (None, 1)
    known = group_statistics(y, x, group, residual=residual, n_residual=n_residual)

    def whole() -> Array:
        sums = group_statistics(y, x, group, residual=residual, n_residual=n_residual)
        return fit_nested(sums, contrast, df=df).p

    return R / median_seconds(whole), R / median_seconds(lambda: fit_nested(known, contrast, df=df).p)


def main() -> None:
    """Print the table."""
    cases: tuple[tuple[str, int, Df, bool, bool], ...] = (
        ("partially nested, Satterthwaite", 200, "satterthwaite", False, False),
        ("partially nested, Kenward-Roger", 200, "kenward-roger", False, False),
        ("partially nested, residual variance per arm, Satterthwaite", 200, "satterthwaite", True, False),
        ("partially nested, residual variance per arm, Kenward-Roger", 200, "kenward-roger", True, False),
        ("the same", 2_000, "kenward-roger", True, False),
        ("the same", 20_000, "kenward-roger", True, False),
        ("clusters in both arms, Kenward-Roger", 200, "kenward-roger", False, True),
    )
    print(f"groups of {GROUP_SIZE}, 20 % missing, blocks of {R}, one core, medians of {REPEATS}\n")
    print(f"{'':60}{'N':>8}{'fits/s':>12}{'of sums':>12}")
    for name, n, df, per_arm, everybody in cases:
        whole, after = rates(n, df, per_arm=per_arm, everybody=everybody)
        print(f"{name:60}{n:8,}{whole:12,.0f}{after:12,.0f}")


if __name__ == "__main__":
    main()
