"""A small made-up run, computed by the kernels from made-up estimates, so that all its columns agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trialsim.kernels.operating_characteristics import NULL_TOLERANCE, operating_characteristics

SHARE = "effects.ketamine.specific_share"
MISSING = "dropout.missing_by.14"
ALPHA = "analysis.primary.alpha"
OUTCOMES = {
    "primary": ("qids_sr16", "mmrm", -5.95, 4.5),
    "madrs_day_14": ("madrs", "mmrm", -15.0, 9.5),
    "bsl23_day_14": ("bsl23", "ancova", -0.9, 0.8),
}

ESTIMATED = (
    "power", "power_mcse", "power_low", "power_high", "bias", "bias_mcse", "coverage", "coverage_mcse",
    "rejection_rate", "rejection_rate_mcse", "empirical_se", "empirical_se_mcse", "model_se", "model_se_mcse",
    "mean_n_analysed", "mean_n_analysed_mcse", "share_missing", "share_missing_mcse",
)  # fmt: skip


def without_estimates(frame: pd.DataFrame, *, n: int) -> pd.DataFrame:
    """Return a summary in which all fits of one size failed."""
    gone = frame["n"] == n
    changed = frame.copy()
    changed.loc[gone, list(ESTIMATED)] = float("nan")
    changed.loc[gone, ["converged", "fell_back"]] = 0
    changed.loc[gone, "failed"] = changed.loc[gone, "replicates"]
    return changed


SummaryMaker = Callable[..., pd.DataFrame]


def make_summary(
    *,
    sizes: Sequence[int] = (80, 120, 160, 200, 240),
    vary: dict[str, Sequence[Any]] | None = None,
    estimands: Sequence[str] = ("primary", "madrs_day_14", "bsl23_day_14"),
    replicates: int = 500,
) -> pd.DataFrame:
    """Return a summary frame of t tests on made-up normal estimates."""
    varied = {SHARE: (0, 0.2, 0.34, 0.5, 0.66, 1)} if vary is None else vary
    records: list[dict[str, Any]] = []
    cells = itertools.product(*varied.values())
    for variant, values in enumerate(cells):
        settings = dict(zip(varied, values, strict=True))
        for n in sizes:
            for name in estimands:
                records.append(_row(len(records), variant, settings, n, name, replicates))
    frame = pd.DataFrame(records)
    frame["cell"] = frame.groupby(["variant", "n"], sort=False).ngroup()
    return frame


def _row(seed: int, variant: int, settings: dict[str, Any], n: int, name: str, replicates: int) -> dict[str, Any]:
    outcome, method, change, sd = OUTCOMES[name]
    missing = float(settings.get(MISSING, 0.07))
    alpha = float(settings.get(ALPHA, 0.05))
    true_value = change * float(settings.get(SHARE, 0.34))
    rng = np.random.default_rng(seed)
    df = float(n - 4)
    standard_error = 2.0 * sd / np.sqrt(n * (1.0 - missing))
    se = standard_error * np.sqrt(rng.chisquare(df, replicates) / df)
    estimate = rng.normal(true_value, standard_error, replicates)
    half = stats.t.ppf(1 - alpha / 2, df) * se
    null = abs(true_value) < NULL_TOLERANCE
    status = rng.choice([0, 1, 2], replicates, p=[0.97, 0.02, 0.01])
    measures = operating_characteristics(
        estimate=estimate,
        se=se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p=2 * stats.t.sf(np.abs(estimate / se), df),
        status=status,
        n_analysed=np.full(replicates, n - 2),
        share_missing=rng.uniform(0.5 * missing, 1.5 * missing, replicates),
        true_value=true_value,
        alpha=alpha,
        benefit_sign=-1,
        null=null,
    )
    return {
        "cell": 0,
        "variant": variant,
        **settings,
        "n": n,
        "estimand": name,
        "outcome": outcome,
        "visit_days": 14.0,
        "contrast": "ketamine - midazolam",
        "method": method,
        "alpha": alpha,
        "null": null,
        "true_value": true_value,
        **measures,
    }


def make_trajectories() -> pd.DataFrame:
    """Return mean scores by outcome, arm, stratum and day."""
    days = [0, 3, 7, 10, 14]
    reached = [0.0, 0.45, 0.70, 0.87, 1.0]
    rng = np.random.default_rng(5)
    records = []
    for outcome, label, start, change, sd in (
        ("qids_sr16", "QIDS-SR16", 18.5, -6.0, 4.4),
        ("madrs", "MADRS", 33.0, -15.0, 9.0),
        ("bsl23", "BSL-23", 2.0, -0.8, 0.8),
    ):
        for stratum, stratum_label in (("bpd", "With BPD"), ("no_bpd", "Without BPD")):
            for arm, arm_label, share in (("midazolam", "Midazolam", 0.66), ("ketamine", "Ketamine", 1.0)):
                for visit, day in enumerate(days):
                    seen = 40 - 2 * visit - (arm == "ketamine")
                    mean = start + change * share * reached[visit] + rng.normal(0, sd / 12)
                    half = 1.96 * sd / np.sqrt(seen)
                    records.append(
                        {
                            "outcome": outcome, "outcome_label": label, "arm": arm, "arm_label": arm_label,
                            "stratum": stratum, "stratum_label": stratum_label, "day": day, "mean": mean,
                            "ci_low": mean - half, "ci_high": mean + half, "n_observed": seen,
                        }
                    )  # fmt: skip
    return pd.DataFrame(records)


@pytest.fixture(scope="session")
def summary() -> pd.DataFrame:
    """Six values of one path, five sizes, three estimands; share 0 is a null."""
    return make_summary()


@pytest.fixture(scope="session")
def summary_maker() -> SummaryMaker:
    """The maker itself, for other shapes of run."""
    return make_summary


@pytest.fixture(scope="session")
def trajectories() -> pd.DataFrame:
    """Three outcomes, two strata, two arms, baseline and four visits."""
    return make_trajectories()
