"""docs/data_dictionary.md: every output file and column, held against what a real run writes."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

INTRODUCTION = """\
# Data dictionary

What a run writes, file by file. The schema version of these files is **{version}**; it stands in `manifest.json`
(`schema`) and in the metadata of the Parquet files (`trialsim_schema`), and changes when a column changes its name or
meaning. Units: estimates, standard errors and bias are in the unit of their `measure` (points for a difference of
means, natural logarithms for ratios); times are in days; shares are between 0 and 1. Estimates are *active − control*.
Text is UTF-8 with unix line ends; a number that does not exist is empty in CSV and null or NaN in Parquet.

| file | holds |
|---|---|
| `report.html` | The report: answer, figures, assumptions, failures. One file, no outside request. |
| `summary.parquet`, `summary.csv` | Operating characteristics: one row per cell and hypothesis. |
| `families.parquet`, `families.csv` | With `multiplicity`: hypotheses tested together, one row per cell. |
| `estimates.parquet` | One row per cell, hypothesis and replicate. |
| `figures/NAME.png`, `.svg`, `.csv` | Each figure twice, with the data it shows. |
| `manifest.json` | What was run: everything that the results depend on. |
| `run.json` | When, where and how long. Written last: a run without it is not finished. |
| `parts/*.parquet` | Whole blocks, columns as in `estimates.parquet`; an interrupted run goes on from them. |

`summary`, `estimates`, `parts`, figures and report are the same bytes for the same scenario, seed and package
versions on one CPU family, whatever the number of workers; `manifest.json` names the versions, and only `run.json`
holds times and the host.
"""

SUMMARY: Mapping[str, str] = {
    "cell": "Number of the cell, from 0: variants in order, sample sizes rising within.",
    "variant": "Number of the combination of varied values, from 0.",
    "(varied path)": "One column for each path under `vary`, named after it, with the value of this variant.",
    "n": "Patients randomised, all arms together.",
    "estimand": "Name of the estimand.",
    "outcome": "Outcome, or count, that the estimand is about.",
    "endpoint": "`score`, `response`, `time to relapse` ...: the estimand's variable.",
    "visit_days": "Day of its visit.",
    "contrast": "`active - control`, by the names of the arms.",
    "method": "Name of the analysis: as given, or its method, numbered (`mmrm_1`, `mmrm_2`) where that is not enough.",
    "measure": "What the estimate is: `difference` of means, `risk_difference`, `log_odds_ratio` ...",
    "unit": "Unit of estimates: `points`, `risk`, `probability`, `days`, or `log` for natural logarithms of ratios.",
    "test": "`superiority`, `non_inferiority` or `equivalence`.",
    "margin": "Margin of the test, in the unit of the estimate; empty for superiority.",
    "alpha": "Two-sided significance level.",
    "null": "Whether every rejection is a false one: the true value is 0, or reaches the margin.",
    "true_value": "True value of the estimand: exact for means had nobody left, else from potential outcomes.",
    "true_value_se": "Its Monte Carlo standard error; 0 where it is exact.",
    "replicates": "Simulated trials.",
    "power": "Share of usable fits with p at most alpha and, for superiority, the estimate on the side of benefit.",
    "power_low": "Lower end of power's 95 % Wilson interval.",
    "power_high": "Upper end of power's 95 % Wilson interval.",
    "rejection_rate": "Share of usable fits with p at most alpha, in either direction.",
    "type_i_error": "The rejection rate where `null`; empty elsewhere.",
    "power_failures_as_0": "Power over all replicates with failed fits counted as misses.",
    "power_failures_as_1": "Power over all replicates with failed fits counted as findings.",
    "mean_estimate": "Mean of the estimates.",
    "bias": "Mean of the estimates minus the true value.",
    "empirical_se": "Standard deviation of the estimates over replicates.",
    "model_se": "Root mean square of the standard errors that the fits report.",
    "mse": "Mean squared error of the estimates, squared points.",
    "coverage": "Share of confidence intervals, of level 1 − alpha, that hold the true value.",
    "mean_n_analysed": "Mean number of patients in the fit.",
    "share_missing": "Mean share of the randomised without a score at the estimand's visit.",
    "converged": "Number of fits as asked for.",
    "fell_back": "Number of fits by a simpler covariance.",
    "failed": "Number of fits without an estimate; they are in no denominator except those named above.",
    "adjusted_power": "Power within the `multiplicity` procedure; empty for hypotheses outside it.",
    "adjusted_power_low": "Lower end of its 95 % Wilson interval.",
    "adjusted_power_high": "Upper end of its 95 % Wilson interval.",
}
"""Column by meaning; a column of the same name plus `_mcse` is its Monte Carlo standard error."""

FAMILIES: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients randomised.",
    "procedure": "Name of the procedure.",
    "hypotheses": "The hypotheses in its order: an estimand, or estimand.analysis.",
    "alpha": "Two-sided level of the family.",
    "replicates": "Simulated trials.",
    "usable": "Trials in which no analysis of the family failed: the denominator.",
    "true_effects": "Number of hypotheses that are not null.",
    "disjunctive_power": "Share of trials that find at least one of the true effects.",
    "disjunctive_power_low": "Lower end of its 95 % Wilson interval.",
    "disjunctive_power_high": "Upper end of its 95 % Wilson interval.",
    "conjunctive_power": "Share of trials that find all true effects.",
    "conjunctive_power_low": "Lower end of its 95 % Wilson interval.",
    "conjunctive_power_high": "Upper end of its 95 % Wilson interval.",
    "family_wise_error": "Share of trials that reject a null, in either direction; empty where there is none.",
    "family_wise_error_low": "Lower end of its 95 % Wilson interval.",
    "family_wise_error_high": "Upper end of its 95 % Wilson interval.",
    "expected_rejections": "Mean number of true effects found.",
}

ESTIMATES: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "n": "Patients randomised.",
    "estimand": "Name of the estimand.",
    "method": "As in `summary`.",
    "replicate": "Number of the simulated trial, from 0. The same number is the same patients in every cell.",
    "estimate": "Active − control in the unit of the measure; NaN where the fit failed.",
    "se": "Standard error; NaN for a method that has none.",
    "df": "Degrees of freedom; infinite for a normal reference.",
    "p": "Two-sided p-value; against a margin twice the one-sided one, so that it goes with the same alpha.",
    "ci_low": "Lower confidence limit, level 1 − alpha; NaN for a method that has none.",
    "ci_high": "Upper confidence limit.",
    "p_adjusted": "Smallest level of the family at which the hypothesis is rejected; NaN without a procedure.",
    "status": "0 converged, 1 fell back to a simpler covariance, 2 failed.",
    "rung": "The covariance (or method) that gave the estimate, or why there is none.",
    "n_analysed": "Patients in the fit.",
    "share_missing": "Share of the randomised without a score at the estimand's visit.",
}

FIGURES: Mapping[str, Mapping[str, str]] = {
    "power_curves": {
        "panel": "Estimand shown in this panel.",
        "line": "Varied value of this line.",
        "line_heading": "What the line's value is.",
        "n": "Patients randomised.",
        "null": "Whether every claim is false, so that `share` is the type I error.",
        "test": "`superiority`, `non_inferiority` or `equivalence` (the type I error is then to be alpha / 2).",
        "alpha": "Two-sided significance level.",
        "share": "Power, or type I error where `null`.",
        "mcse": "Its Monte Carlo standard error.",
        "low": "Lower end of its 95 % Wilson interval.",
        "high": "Upper end of its 95 % Wilson interval.",
    },
    "power_heatmap": {
        "panel": "Values of further varied paths; empty with one.",
        "row": "Varied value of this row.",
        "row_heading": "What the row's value is.",
        "n": "Patients randomised.",
        "null": "Whether every claim is false.",
        "test": "`superiority`, `non_inferiority` or `equivalence`.",
        "share": "Power, or type I error where `null`.",
        "mcse": "Its Monte Carlo standard error.",
    },
    "families": {
        "panel": "Varied values; empty where nothing is varied.",
        "line": "A hypothesis with something to find, any or all of them, or the family-wise error.",
        "line_heading": "What the lines are.",
        "n": "Patients randomised.",
        "null": "Whether `share` is the family-wise error rate.",
        "alpha": "Two-sided level of the family.",
        "share": "Share of trials within the procedure.",
        "mcse": "Its Monte Carlo standard error.",
        "low": "Lower end of its 95 % Wilson interval.",
        "high": "Upper end of its 95 % Wilson interval.",
    },
    "trajectories": {
        "outcome": "Outcome.",
        "outcome_label": "Words for it.",
        "arm": "Arm.",
        "arm_label": "Words for it.",
        "stratum": "Stratum.",
        "stratum_label": "Words for it.",
        "day": "Day; 0 is baseline.",
        "mean": "Mean of those observed in one simulated trial, points.",
        "ci_low": "Lower end of its 95 % t interval.",
        "ci_high": "Upper end of its 95 % t interval.",
        "n_observed": "Patients observed.",
    },
    "accuracy": {
        "row": "Varied values.",
        "n": "Patients randomised.",
        "measure": "What the estimate is, as in `summary`.",
        "alpha": "Two-sided significance level.",
        "bias": "Bias of the primary estimand's first analysis, in the unit of its measure (risks between 0 and 1).",
        "bias_low": "Lower end of its 95 % Monte Carlo interval.",
        "bias_high": "Upper end of its 95 % Monte Carlo interval.",
        "coverage": "Coverage of the confidence intervals.",
        "coverage_low": "Lower end of its 95 % Wilson interval.",
        "coverage_high": "Upper end of its 95 % Wilson interval.",
    },
    "estimand_matrix": {
        "panel": "Varied values; empty where nothing is varied.",
        "n": "Patients randomised: the largest number of the variant.",
        "estimand": "Name of the estimand.",
        "estimand_label": "Words for it.",
        "analysis": "Words for the analysis.",
        "measure": "What the estimate is, as in `summary`.",
        "unit": "Unit of bias, true value and empirical SE, as in `summary`.",
        "null": "Whether every rejection is a false one.",
        "alpha": "Two-sided significance level.",
        "true_value": "True value of the estimand.",
        "true_value_se": "Its Monte Carlo standard error; 0 where it is exact.",
        "bias": "Mean of the estimates minus the true value.",
        "bias_mcse": "Its Monte Carlo standard error.",
        "empirical_se": "Standard deviation of the estimates over replicates.",
        "standardised_bias": "Bias divided by the empirical SE.",
        "standardised_bias_mcse": "Its Monte Carlo standard error.",
        "standardised_bias_low": "Lower end of its 95 % Monte Carlo interval.",
        "standardised_bias_high": "Upper end of its 95 % Monte Carlo interval.",
        "coverage": "Share of confidence intervals that hold the true value.",
        "coverage_mcse": "Its Monte Carlo standard error.",
        "power": "As in `summary`, also where `null`.",
        "power_mcse": "Its Monte Carlo standard error.",
        "off": "What is off by more than 4.9 Monte Carlo standard errors: `bias`, `coverage`, both, or nothing.",
    },
}

MANIFEST: Mapping[str, str] = {
    "schema": "Version of the files in this folder.",
    "title": "Title of the scenario.",
    "scenario_hash": "SHA-256 of what the results depend on, except the number of replicates; labels do not enter.",
    "seed": "Seed of all draws.",
    "replicates": "Simulated trials per cell.",
    "block_size": "Replicates in a block; blocks are computed whole and surplus replicates left out.",
    "seed_scheme": "Version of the way in which draws are addressed.",
    "trialsim": "Version of trialsim.",
    "versions": "Versions of Python and of the packages that the numbers or their presentation depend on.",
    "environment": "Operating system, machine and byte order.",
    "scenario": "The resolved scenario, as `trialsim explain FILE --json` prints it: what was written, the "
    "numbers of each variant, and the source of every value.",
}

RUN: Mapping[str, str] = {
    "replicates": "Simulated trials per cell when the run was finished.",
    "host": "Name of the machine.",
    "workers": "Processes.",
    "units_computed": "Blocks computed by the last call; the rest was there.",
    "started_unix": "Start of the last call, seconds since 1970 (UTC).",
    "compute_seconds": "Seconds of computing, summed over workers.",
    "wall_seconds": "Seconds from start to end of the last call.",
}

COHORT: Mapping[str, str] = {
    "patient": "Number of the patient, from 1, in order of randomisation.",
    "stratum": "Name of the stratum.",
    "arm": "Name of the arm.",
    "day": "Day; 0 is baseline.",
    "(outcome)": "One column for each outcome, in points; empty once the patient has left.",
    "present": "Whether the patient is still in the trial on that day.",
}


def page() -> str:
    """Return the page, checked against the files of a small run."""
    from trialsim.engine.store import SCHEMA_VERSION

    with tempfile.TemporaryDirectory() as folder:
        found = _small_run(Path(folder))
    parts = [
        INTRODUCTION.format(version=SCHEMA_VERSION),
        "## summary.parquet, summary.csv\n",
        "A *usable* fit converged or fell back; shares and means are over usable fits unless said otherwise. "
        "Formulas of the Monte Carlo standard errors: "
        "[operating characteristics](concepts/operating_characteristics.md).\n",
        _table(found["summary"], SUMMARY, "(varied path)", mcse=True),
        "## families.parquet, families.csv\n",
        _table(found["families"], FAMILIES, "(varied path)", mcse=True),
        "## estimates.parquet\n",
        _table(found["estimates"], ESTIMATES),
    ]
    for name, columns in FIGURES.items():
        parts += [f"## figures/{name}.csv\n", _table(found[f"figures/{name}"], columns)]
    parts.append(
        "`power_heatmap` is drawn where the scenario varies something, `families` where hypotheses are tested "
        "together, `power_by_outcome`, with the columns of `power_curves`, where there are several analyses, and "
        "`estimand_matrix` where one estimand has several analyses, or estimands of one variable differ in strategy.\n"
    )
    parts += ["## manifest.json\n", _table(found["manifest"], MANIFEST)]
    parts += ["## run.json\n", _table(found["run"], RUN)]
    parts += [
        "## The CSV of `trialsim cohort`\n",
        "One row per patient and day. Scores on a scale of whole points are whole numbers.\n",
        _table(found["cohort"], COHORT, "(outcome)"),
    ]
    return "\n".join(parts)


PRIMARY = {"outcome": "qids_sr16", "visit": 14, "contrast": ["ketamine", "midazolam"]}
TABLES = ("summary", "families", "estimates")


def _small_run(folder: Path) -> dict[str, dict[str, str]]:
    """Return the columns, with their types, of everything that a small run and its cohort write."""
    import pyarrow.parquet as pq

    from trialsim import api

    path = "effects.ketamine.points.qids_sr16"
    settings = {
        "sample_size": [40],
        "simulation.replicates": 4,
        "vary": {path: [-3, 0]},
        "estimands.responders": {**PRIMARY, "endpoint": "response"},
        "analysis.responders": [{"method": "risk_difference"}, {"method": "logistic"}],
        "multiplicity": {"method": "holm"},
    }
    scenario = api.load(ROOT / "scenarios" / "quick_start.yaml", settings=settings)
    run = api.run(scenario, out=folder / "run", workers=1)
    found = {name: _parquet(pq.read_schema(run.folder / f"{name}.parquet")) for name in TABLES}
    for table in ("summary", "families"):
        found[table] = {"(varied path)" if name == path else name: kind for name, kind in found[table].items()}
    for file in sorted((run.folder / "figures").glob("*.csv")):
        found[f"figures/{file.stem}"] = _csv(file)
    found["manifest"] = _json(run.folder / "manifest.json")
    found["run"] = _json(run.folder / "run.json")
    frame = api.cohort(scenario, n=4)
    kinds = {"int64": "whole number", "float64": "number", "bool": "true or false"}
    found["cohort"] = {
        "(outcome)" if name == "qids_sr16" else str(name): kinds.get(str(kind), "text")
        for name, kind in frame.dtypes.items()
    }
    return found


def _parquet(schema: Any) -> dict[str, str]:
    def words(kind: str) -> str:
        if kind.startswith("int"):
            return "whole number"
        return {"double": "number", "bool": "true or false"}.get(kind, "text")

    return {field.name: words(str(field.type)) for field in schema}


def _csv(file: Path) -> dict[str, str]:
    with open(file, encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        row = next(reader)
    return {name: _kind_of_text(value) for name, value in row.items()}


def _kind_of_text(value: str) -> str:
    if value in ("True", "False"):
        return "true or false"
    try:
        float(value)
    except ValueError:
        return "text"
    return "whole number" if value.isdigit() else "number"


def _json(file: Path) -> dict[str, str]:
    kinds = {int: "whole number", float: "number", str: "text", dict: "mapping", list: "list"}
    return {name: kinds[type(value)] for name, value in json.loads(file.read_text(encoding="utf-8")).items()}


def _table(found: Mapping[str, str], words: Mapping[str, str], free: str = "", *, mcse: bool = False) -> str:
    """Return the columns as a table; one that is not described, or described and not there, is an error."""
    shown = {name: kind for name, kind in found.items() if not (mcse and name.endswith("_mcse"))}
    _same(shown, words)
    errors = {name.removesuffix("_mcse") for name in found if mcse and name.endswith("_mcse")}
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for name, kind in shown.items():
        also = f"<br>`{name}_mcse`" if name in errors else ""
        shown_kind = "as given" if name == free else kind
        lines.append(f"| `{name}`{also} | {shown_kind} | {words[name]} |")
    if mcse:
        lines += ["", "A column with `_mcse` is the Monte Carlo standard error of the one above it, in the same unit."]
    return "\n".join([*lines, ""])


def _same(found: Iterable[str], described: Iterable[str]) -> None:
    missing, extra = set(found) - set(described), set(described) - set(found)
    if missing or extra:
        raise ValueError(
            f"the data dictionary lacks {sorted(missing)} and describes {sorted(extra)}, which is not there"
        )
