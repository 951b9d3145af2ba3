"""A small made-up run, computed by the kernels from made-up estimates, so that all its columns agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trials import BOUNDED, resolve
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE, operating_characteristics
from trialsim.report.questions import endpoint_of
from trialsim.scenario.methods import MEASURES, benefit_sign

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
    "relative_error_model_se", "relative_error_model_se_mcse", "bias_eliminated_coverage",
    "bias_eliminated_coverage_mcse", "mean_n_analysed", "mean_n_analysed_mcse", "share_missing", "share_missing_mcse",
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
    null = abs(true_value) < NULL_TOLERANCE
    measures = operating_characteristics(
        estimate=estimate,
        p=2 * stats.t.sf(np.abs(estimate / se), df),
        status=rng.choice([0, 1, 2], replicates, p=[0.97, 0.02, 0.01]),
        share_missing=rng.uniform(0.5 * missing, 1.5 * missing, replicates),
        **_intervals(estimate, se, df, alpha),
        n_analysed=np.full(replicates, n - 2),
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
        "endpoint": "score",
        "visit_days": 14.0,
        "contrast": "ketamine - midazolam",
        "method": method,
        "measure": "difference",
        "unit": "points",
        "test": "superiority",
        "margin": None,
        "alpha": alpha,
        "null": null,
        "true_value": true_value,
        "true_value_se": 0.0,
        **measures,
        **_NO_PROCEDURE,
    }


_NO_PROCEDURE = dict.fromkeys(
    ("adjusted_power", "adjusted_power_mcse", "adjusted_power_low", "adjusted_power_high"), float("nan")
)


def _intervals(estimate: np.ndarray, se: np.ndarray, df: float, alpha: float) -> dict[str, np.ndarray]:
    half = stats.t.ppf(1 - alpha / 2, df) * se
    return {"se": se, "ci_low": estimate - half, "ci_high": estimate + half}


CONTRAST = ["ketamine", "midazolam"]
ON_QIDS = {"outcome": "qids_sr16", "visit": 14, "contrast": CONTRAST}
EVERY_KIND: dict[str, Any] = {
    "dropout.missing_by": {14: 0.1, 84: 0.2},
    "schedule": {"infusions": [0, 3, 7, 10], "visits": [3, 7, 14, 84]},
    "counts": {"acts": {"label": "Acts of self-harm", "rate_per_year": 6.0, "rate_ratio": {"ketamine": 0.6}}},
    "clusters": {"therapy_group": {"arms": ["ketamine"], "size": 8, "icc": 0.05}},
    "estimands": {
        "primary": ON_QIDS,
        "responded": {**ON_QIDS, "endpoint": "response", "intercurrent_events": {"dropout": "composite"}},
        "severe": {**ON_QIDS, "outcome": "madrs", "endpoint": {"at_least": 30}},
        "relapse": {**ON_QIDS, "visit": 84, "endpoint": {"time_to": "relapse", "from": 14}},
        "quick": {**ON_QIDS, "visit": 84, "endpoint": {"time_to": "response"}},
        "acts_all": {**ON_QIDS, "outcome": "acts", "visit": 84},
        "last": {**ON_QIDS, "intercurrent_events": {"dropout": "while_on_treatment"}},
        "failed": {**ON_QIDS, "intercurrent_events": {"dropout": "composite"}, "failure_score": "worst"},
        "not_worse": {**ON_QIDS, "non_inferiority_margin": 1.5},
        "same": {**ON_QIDS, "endpoint": "response", "equivalence_margin": 0.3},
        "modifier": {**ON_QIDS, "interaction": ["bpd", "no_bpd"]},
    },
    "analysis": {
        "primary": [{"method": name} for name in ("mmrm", "wilcoxon", "nested", "reference_based")],
        "responded": [{"method": name} for name in ("risk_difference", "logistic", "fisher")],
        "relapse": [{"method": name} for name in ("cox", "kaplan_meier", "rmst")],
        "quick": [{"method": name} for name in ("kaplan_meier", "rmst")],
        "same": [{"method": "risk_difference"}, {"method": "logistic"}],
    },
    "sample_size": [80, 160],
}
"""A scenario with every kind of endpoint, strategy and test."""

TRUTHS = {
    "difference": -2.02, "superiority": -0.098, "risk_difference": 0.113, "log_odds_ratio": 0.63,
    "log_hazard_ratio": -0.51, "event_free_difference": 0.061, "restricted_mean_difference": 6.8,
    "log_rate_ratio": -0.5108,
}  # fmt: skip
SPREADS = {"points": 1.0, "risk": 0.08, "probability": 0.05, "log": 0.35, "days": 5.0}


def summary_of(resolved: Mapping[str, Any], truths: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return a made-up summary of every hypothesis of a resolved scenario's first variant, nothing varied.

    Parameters
    ----------
    resolved : mapping
    truths : mapping, optional
        True value by `estimand` or `estimand.analysis`; that of the measure in `TRUTHS` by default.
    """
    variant = resolved["variants"][0]
    rows = [
        _asked_row(variant, estimand, analysis, n, truths or {})
        for n in variant["sample_sizes"]
        for estimand in variant["estimands"]
        for analysis in estimand["analyses"]
    ]
    frame = pd.DataFrame(rows)
    frame["cell"] = frame.groupby("n", sort=False).ngroup()
    return frame


def _asked_row(
    variant: Mapping[str, Any],
    estimand: Mapping[str, Any],
    analysis: Mapping[str, Any],
    n: int,
    truths: Mapping[str, float],
) -> dict[str, Any]:
    name, measure, asked = estimand["name"], analysis["measure"], estimand["hypothesis"]
    true_value = truths.get(f"{name}.{analysis['name']}", truths.get(name, TRUTHS[measure]))
    unit, sign = MEASURES[measure].unit, benefit_sign(endpoint_of(estimand), measure)
    tested, margin = asked["kind"], asked["margin"] or 0.0
    reached = abs(true_value) if tested == "equivalence" else -sign * true_value
    null = abs(true_value) < NULL_TOLERANCE if tested == "superiority" else reached >= margin - NULL_TOLERANCE
    rng = np.random.default_rng(n)
    se = np.full(200, SPREADS[unit] * np.sqrt(160 / n))
    estimate = rng.normal(true_value, se)
    shift = {"superiority": np.abs(estimate), "non_inferiority": sign * estimate + margin,
             "equivalence": margin - np.abs(estimate)}[tested]  # fmt: skip
    without = analysis["method"] == "fisher"
    intervals = _intervals(estimate, se, np.inf, analysis["alpha"])
    return {
        "cell": 0, "variant": 0, "n": n, "estimand": name, "outcome": "qids_sr16",
        "endpoint": estimand["endpoint"]["name"] or estimand["endpoint"]["kind"],
        "visit_days": variant["visits_days"][estimand["visit"]], "contrast": "ketamine - midazolam",
        "method": analysis["name"], "measure": measure, "unit": unit, "test": tested, "margin": asked["margin"],
        "alpha": analysis["alpha"], "null": null, "true_value": true_value,
        "true_value_se": 0.0 if unit == "points" else 0.01 * SPREADS[unit],
        **operating_characteristics(
            estimate=estimate, p=np.minimum(2 * stats.norm.sf(shift / se), 1.0), status=np.zeros(200),
            **{key: values * (np.nan if without else 1.0) for key, values in intervals.items()},
            n_analysed=np.full(200, n), share_missing=np.full(200, 0.1), true_value=true_value,
            alpha=analysis["alpha"], benefit_sign=sign if tested == "superiority" else 0, null=null,
        ),
        **_NO_PROCEDURE,
    }  # fmt: skip


@pytest.fixture(scope="session")
def every_kind() -> dict[str, Any]:
    """A resolved scenario with every kind of endpoint, strategy and test."""
    return resolve(BOUNDED, EVERY_KIND).to_dict()


GRAPH = {
    "method": "graph",
    "hypotheses": ["primary", "bsl23", "remission.logistic"],
    "weights": [0.8, 0.2, 0],
    "transitions": [[0, 0.5, 0.5], [1, 0, 0], [0.5, 0.5, 0]],
}


@pytest.fixture(scope="session")
def three_together() -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """A resolved scenario with a graph of three hypotheses, one of them null, its summary and that of the family."""
    changes = {
        "estimands.bsl23": {**ON_QIDS, "outcome": "bsl23", "label": "BPD symptoms"},
        "estimands.remission": {**ON_QIDS, "endpoint": "remission"},
        "analysis": {"remission": [{"method": "risk_difference"}, {"method": "logistic"}]},
        "multiplicity": GRAPH,
        "sample_size": [80, 160],
    }
    resolved = resolve(BOUNDED, changes).to_dict()
    summary = summary_of(resolved, {"bsl23": 0.0})
    family = {"primary": "mmrm", "bsl23": "mmrm", "remission": "logistic"}
    inside = [family[row.estimand] == row.method for row in summary.itertuples()]
    for end in ("", "_mcse", "_low", "_high"):
        summary.loc[inside, f"adjusted_power{end}"] = 0.9 * summary.loc[inside, f"power{end}"]
    return resolved, summary, pd.DataFrame([_family_row(cell, n) for cell, n in enumerate((80, 160))])


def _family_row(cell: int, n: int) -> dict[str, Any]:
    shares = {"disjunctive_power": 0.61, "conjunctive_power": 0.32, "family_wise_error": 0.041}
    return {
        "cell": cell, "variant": 0, "n": n, "procedure": "graph",
        "hypotheses": ", ".join(GRAPH["hypotheses"]), "alpha": 0.05, "replicates": 200, "usable": 200,
        "true_effects": 2,
        **{
            f"{name}{end}": value + shift
            for name, value in shares.items()
            for end, shift in (("", 0.0), ("_mcse", 0.013 - value), ("_low", -0.02), ("_high", 0.02))
        },
        "expected_rejections": 0.9, "expected_rejections_mcse": 0.05,
    }  # fmt: skip


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
