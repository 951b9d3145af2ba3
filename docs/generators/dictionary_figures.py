"""What every column behind a figure means."""

from __future__ import annotations

from collections.abc import Mapping

FIGURES: Mapping[str, Mapping[str, str]] = {
    "power_curves": {
        "panel": "Estimand shown in this panel.",
        "quantity": "What the shares of the panel are: power, and within which procedure, or the type I error.",
        "line": "Varied value of this line.",
        "line_heading": "What the line's value is.",
        "n": "Patients randomised.",
        "null": "Whether every claim is false, so that `share` is the type I error.",
        "test": "`superiority`, `non_inferiority` or `equivalence`; `co_primary` where all are to be found.",
        "alpha": "Two-sided significance level.",
        "level": "What the type I error is to be: alpha, or alpha / 2 against a margin.",
        "share": "Power, or type I error where `null`.",
        "mcse": "Its Monte Carlo standard error.",
        "low": "Lower end of its 95 % Wilson interval.",
        "high": "Upper end of its 95 % Wilson interval.",
    },
    "power_heatmap": {
        "panel": "Values of further varied paths; empty with one.",
        "quantity": "What the shares are, as in `power_curves`.",
        "row": "Varied value of this row.",
        "row_heading": "What the row's value is.",
        "n": "Patients randomised.",
        "null": "Whether every claim is false.",
        "test": "`superiority`, `non_inferiority` or `equivalence`; `co_primary` where all are to be found.",
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

DRAWN: Mapping[str, str] = {
    "power_curves": "Always: power of the primary hypothesis by number of patients.",
    "power_heatmap": "Where the scenario varies something.",
    "power_by_outcome": "Where there are several estimands or analyses; columns as in `power_curves`.",
    "families": "Where hypotheses are tested together (`multiplicity`).",
    "trajectories": "Always: mean scores of one simulated trial.",
    "accuracy": "Always: bias and coverage.",
    "estimand_matrix": "Where one estimand has several analyses, or estimands of one variable differ in strategy.",
}
"""Figures of a run by name, and when each is drawn."""

SAME_COLUMNS: Mapping[str, str] = {"power_by_outcome": "power_curves"}
"""Figures with the columns of another."""

_GROUP: Mapping[str, str] = {
    "stratum": "Stratum.",
    "stratum_label": "Words for it.",
    "arm": "Arm.",
    "arm_label": "Words for it.",
}

COHORT_FIGURES: Mapping[str, Mapping[str, str]] = {
    "distributions": {
        "outcome": "Outcome.",
        "outcome_label": "Words for it.",
        **_GROUP,
        "day": "Day: 0 (baseline) or that of the last visit.",
        "low": "Lower end of the bin, half a step below the lowest score in it.",
        "high": "Upper end of the bin.",
        "n": "Patients in the bin.",
        "share": "Their share of those observed.",
        "mean": "Mean score of those observed, points.",
        "n_observed": "Patients observed.",
    },
    "correlations": {
        "row": "One outcome.",
        "row_label": "Words for it.",
        "row_day": "Day on which it is scored: 0 (baseline) or that of the last visit.",
        "column": "The other outcome.",
        "column_label": "Words for it.",
        "column_day": "Day on which it is scored.",
        "correlation": "Their correlation within arms and strata.",
        "asked": "What the scenario asks for before anybody leaves: the mean over strata by their shares.",
        "n": "Patients with both scores.",
    },
    "dissociation": {
        **_GROUP,
        "infusion": "Number of the infusion, from 1.",
        "mean": "Mean CADSS, points.",
        "lower_tenth": "10th percentile.",
        "lower_quarter": "25th percentile.",
        "median": "50th percentile.",
        "upper_quarter": "75th percentile.",
        "upper_tenth": "90th percentile.",
        "share_of_zeros": "Share of patients who score 0.",
        "n": "Patients who had the infusion.",
    },
}

REPLAY_FIGURE: Mapping[str, str] = {
    "quantity": "Name of the quantity.",
    "label": "Words for it.",
    "mark": "`calibration`, `check` or `assumed`.",
    "unit": "`points`, `SD`, `share` ...",
    "published": "Published figure.",
    "published_low": "Lower end of its 95 % Wilson interval, for a share.",
    "published_high": "Upper end of it.",
    "arm": "The study's own arm, or the one beside it.",
    "arm_label": "Words for it.",
    "low": "Lower end of the bin.",
    "high": "Upper end of the bin.",
    "share": "Share of the simulated studies in it.",
}

_DESIGN: Mapping[str, str] = {"design": "Name of the design.", "design_label": "Words for it."}

COMPARISON_FIGURES: Mapping[str, Mapping[str, str]] = {
    "design_forest": {
        **_DESIGN,
        "reference": "Name of the reference.",
        "reference_label": "Words for it.",
        "difference": "Power of the design minus that of the reference.",
        "mcse": "Its paired Monte Carlo standard error.",
        "low": "Lower end of its 95 % interval.",
        "high": "Upper end of it.",
        "low_adjusted": "Lower end of the adjusted interval.",
        "high_adjusted": "Upper end of it.",
        "level_adjusted": "Level of the adjusted interval.",
        "independent_mcse": "Monte Carlo standard error of independent runs.",
    },
    "design_power": {
        **_DESIGN,
        "n": "Patients randomised.",
        "power": "Its power.",
        "mcse": "Its Monte Carlo standard error.",
        "low": "Lower end of its 95 % Wilson interval.",
        "high": "Upper end of it.",
        "target": "Power wanted.",
        "null": "Whether every claim is false.",
    },
    "design_pareto": {
        "metric": "Measure on the horizontal axis.",
        **_DESIGN,
        "value": "Its value.",
        "value_mcse": "Its Monte Carlo standard error; 0 where it is exact.",
        "power": "Power of the design.",
        "low": "Lower end of its 95 % Wilson interval.",
        "high": "Upper end of it.",
        "standing": "`not beaten`, `within error`, `beaten` or `over budget`.",
        "target": "Power wanted.",
    },
}
