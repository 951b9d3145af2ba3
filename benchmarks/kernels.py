"""Fits per second of the MMRM and ANCOVA kernels on one core, beside statsmodels and R on the same data."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import two_sided_p
from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.kernels.mmrm import LADDER, fit_mmrm, pattern_statistics
from trialsim.kernels.mmrm.inference import KENWARD_ROGER, SATTERTHWAITE
from trialsim.kernels.mmrm.structures import STRUCTURES

Array = NDArray[np.float64]
R, N, V = 250, 200, 5
REPEATS = 15


def make_data(intermittent: float = 0.0) -> tuple[Array, Array]:
    """Return y (R, N, V) with 20 % monotone dropout, and covariates: intercept, baseline, arm, stratum."""
    rng = np.random.default_rng(20230419)
    baseline = rng.normal(18.0, 3.6, (R, N))
    arm = np.tile(np.arange(N) % 2, (R, 1)).astype(float)
    stratum = rng.integers(0, 2, (R, N)).astype(float)
    lag = np.abs(np.arange(V)[:, None] - np.arange(V)[None, :])
    factor = np.linalg.cholesky(0.8**lag)
    y = 12.0 + 0.4 * baseline[..., None] - 2.0 * arm[..., None] + 5.3 * rng.normal(size=(R, N, V)) @ factor.T
    left = rng.random((R, N)) < 0.2
    last = np.where(left, rng.integers(1, V, (R, N)), V)
    y[np.arange(V) >= last[..., None]] = np.nan
    if intermittent:
        y[rng.random(y.shape) < intermittent] = np.nan
    return y, np.stack([np.ones((R, N)), baseline, arm, stratum], axis=2)


def median_seconds(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of a call, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def mmrm_rate(
    y: Array, x: Array, n_constant: int, *, df: str = SATTERTHWAITE, ladder: tuple[str, ...] = LADDER
) -> float:
    """Return MMRM fits per second, from arrays in memory to the p-value."""
    contrast = np.zeros((V, x.shape[2]))
    contrast[-1, 2] = 1.0

    def fit() -> Array:
        result = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=ladder, n_constant=n_constant, df=df)
        return two_sided_p(result.estimate, result.se, result.df)

    return len(y) / median_seconds(fit)


def ancova_rate(y: Array, x: Array) -> float:
    """Return ANCOVA fits per second at the last visit, from arrays in memory to the p-value."""
    last = np.ascontiguousarray(y[:, :, -1])
    contrast = np.array([0.0, 0.0, 1.0, 0.0])

    def fit() -> Array:
        products, counts = moments(x, last, ~np.isnan(last))
        result = fit_least_squares(products[0], counts[0], contrast)
        return two_sided_p(result.estimate, result.se, result.df)

    return len(y) / median_seconds(fit)


def long_rows(y: Array, x: Array, replicate: int) -> list[dict[str, Any]]:
    """Return one trial as rows of observed scores."""
    return [
        {"id": i, "visit": v + 1, "y": y[replicate, i, v], "baseline": x[replicate, i, 1]}
        | {"arm": int(x[replicate, i, 2]), "stratum": int(x[replicate, i, 3])}
        for i in range(N)
        for v in range(V)
        if not np.isnan(y[replicate, i, v])
    ]


def statsmodels_rate(y: Array, x: Array) -> float:
    """Return MixedLM fits per second (random intercept: it has no unstructured covariance)."""
    import pandas as pd
    import statsmodels.formula.api as smf

    frame = pd.DataFrame(long_rows(y, x, 0))
    formula = "y ~ (baseline + C(arm) + C(stratum)) * C(visit)"

    def fit() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return smf.mixedlm(formula, frame, groups="id").fit()

    return 1.0 / median_seconds(fit, repeats=5)


R_SCRIPT = """
d <- read.csv(commandArgs(TRUE)[1]); d$visit <- factor(d$visit); d$arm <- factor(d$arm); d$id <- factor(d$id)
f <- y ~ (baseline + arm + stratum) * visit
seconds <- function(g) { g(); median(replicate(5, system.time(g())[["elapsed"]])) }
library(nlme)
d$v <- as.integer(d$visit)
within <- corSymm(form = ~ v | id)
spread <- varIdent(form = ~ 1 | visit)
gls_fit <- function() gls(f, d, correlation = within, weights = spread, method = "REML")
cat("nlme::gls", seconds(gls_fit), "\\n")
if (requireNamespace("mmrm", quietly = TRUE)) {
  cat("mmrm::mmrm", seconds(function() mmrm::mmrm(update(f, . ~ . + us(visit | id)), d)), "\\n")
}
"""


def r_rates(y: Array, x: Array) -> dict[str, float]:
    """Return fits per second of R packages on the first trial; empty where there is no R."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "trial.csv"
        rows = long_rows(y, x, 0)
        with open(data, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        script = Path(folder) / "fit.R"
        script.write_text(R_SCRIPT, encoding="utf-8")
        done = subprocess.run(["Rscript", str(script), str(data)], capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    return {name: 1.0 / float(seconds) for name, seconds in lines}


def main() -> None:
    """Print the table."""
    y, x = make_data()
    rates = {
        "MMRM unstructured, Satterthwaite, all crossed with visit": mmrm_rate(y, x, 0),
        "MMRM the same, stratum not crossed": mmrm_rate(y, x, 1),
        "MMRM the same, 5 % missing in between as well": mmrm_rate(*make_data(0.05), 0),
        "MMRM unstructured, Kenward-Roger, all crossed with visit": mmrm_rate(y, x, 0, df=KENWARD_ROGER),
        "MMRM the same, stratum not crossed, Kenward-Roger": mmrm_rate(y, x, 1, df=KENWARD_ROGER),
        **{
            f"MMRM {name.replace('_', ' ')}, Satterthwaite": mmrm_rate(y, x, 0, ladder=(name,))
            for name in STRUCTURES
            if name != "unstructured"
        },
        "ANCOVA at the last visit": ancova_rate(y, x),
        "statsmodels MixedLM, random intercept": statsmodels_rate(y, x),
        **{f"R {name}, unstructured": rate for name, rate in r_rates(y, x).items()},
    }
    base = rates["MMRM unstructured, Satterthwaite, all crossed with visit"]
    print(f"N = {N}, V = {V}, 20 % monotone dropout, blocks of {R}, one core, medians of {REPEATS}\n")
    print(f"{'':58}{'fits/s':>12}{'ratio':>12}")
    for name, rate in rates.items():
        print(f"{name:58}{rate:12,.1f}{base / rate:12.2f}")


if __name__ == "__main__":
    main()
