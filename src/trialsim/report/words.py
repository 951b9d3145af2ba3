"""Words for readers: scenario paths, values and numbers as they appear in tables, figures and sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

NO_BREAK_SPACE = "\u00a0"

_SHARES = ("specific_share", "share", "never_starts", "missing_by")
_LEVELS = ("analysis", "multiplicity")
_CHOICES = (
    "covariance", "method", "strategy", "strata_by", "structure", "standardised_by", "fallback", "interval", "penalty",
    "jackknife", "residual_variance", "dropout", "group",
)  # fmt: skip
"""Keys whose values are fixed names, to be shown with spaces for underscores."""

_PATH_WORDS: tuple[tuple[str, str], ...] = (
    (r"operations\.recruitment\.until_month", "Recruitment ends by month"),
    (r"operations\.recruitment\.quotas(?:\.(.+))?", "Most patients of a stratum"),
    (r"operations\.sites\.number", "Number of sites"),
    (r"operations\.sites\.rate_per_month", "Patients a month and site"),
    (r"operations\.sites\.opens_every_months", "Months from one opening to the next"),
    (r"operations\.sites\.(chairs|nurses|psychiatrists|therapists)", "{0} of a site"),
    (r"operations\.clinic\.hours", "Opening hours of the clinic"),
    (r"operations\.clinic\.weekdays", "Open days of the clinic"),
    (r"operations\.therapy\.therapists", "Therapists of all sites"),
    (r"operations\.therapy\.size", "Places in a therapy group"),
    (r"operations\.therapy\.start_size", "Patients with whom a group starts"),
    (r"operations\.therapy\.mode", "How therapy groups are filled"),
    (r"operations\.costs\.(.+)", "Price, {0}"),
    (r"operations", "How the trial is run"),
    (r"population\.eligibility\.(?:at_least|at_most)", "Cut-off for eligibility"),
    (r"population\.eligibility\.inflation", "Inflation of scores at entry, points"),
    (r"events\.([^.]+)\.per_day(?:\.(.+))?", "Hazard of {0} per day"),
    (r"events\.([^.]+)\.score_hazard_ratio_per_sd", "Hazard ratio of {0} for a score one SD worse"),
    (r"events\.([^.]+)\.depends_on", "Score that {0} depends on"),
    (r"estimands\.([^.]+)\.analysis_set", "Analysis set, {0}"),
    (r"missing\.intermittent\.share(?:\.(.+))?", "Share of single visits missed"),
    (r"(?:missing\.intermittent|dropout)\.delta\.([^.]+)(?:\.(.+))?", "Unseen scores differ by, {0}, points"),
    (r"missing\.intermittent\.model", "How single visits are missed"),
    (r"heterogeneity\.effect_sd\.([^.]+)", "SD of the effect between patients, {0}"),
    (r"lability\.([^.]+)", "Lability factor, {0}"),
    (r"clusters\.([^.]+)\.icc(?:\.(.+))?", "Intraclass correlation, {0}"),
    (r"clusters\.([^.]+)\.size", "Patients in each {0}"),
    (r"clusters\.([^.]+)\.number", "Number of groups, {0}"),
    (r"therapies\.([^.]+)\.effects\.([^.]+)", "Effect of {0} on {1}, SDs"),
    (r"events\.([^.]+)\.hazard_ratio\.([^.]+)", "Hazard ratio of {0}, {1}"),
    (r"events\.([^.]+)\.infusion_hazard_ratio", "Hazard ratio of {0} with infusions"),
    (r"therapies\.([^.]+)\.synergy", "Synergy of {0} with ketamine"),
    (r"therapies\.([^.]+)\.synergy_window_days", "Days after an infusion in which {0} brings more"),
    (r"therapies\.([^.]+)\.attendance\.mean", "Sessions of {0} attended, share"),
    (r"counts\.([^.]+)\.rate_per_year(?:\.(.+))?", "{0} a year"),
    (r"counts\.([^.]+)\.rate_ratio\.([^.]+)", "Rate ratio of {0}, {1}"),
    (r"course\.infusion_model\.half_life_days", "Half-life of an infusion's effect, days"),
    (r"course\.infusion_model\.gain", "Gain of one infusion"),
    (r"safety\.stopping_rule\.alpha", "Level of the stopping rule"),
    (r"multiplicity\.method", "Procedure for several hypotheses"),
    (r"unblinding\.guess", "Masking"),
    (r"unblinding\.expectancy\.([^.]+)", "What believing in the drug is worth, {0}"),
    (r"population\.strata\.([^.]+)\.share", "Share of patients in {0}"),
    (r"population\.strata\.([^.]+)\.baseline(?:\.(.+))?", "Baseline scores in {0}"),
    (r"population\.strata\.([^.]+)", "Patients in {0}"),
    (r"population\.strata", "Strata"),
    (r"population\.strata_by", "How strata come about"),
    (r"schedule\.visits", "Days of the visits"),
    (r"schedule\.infusions", "Days of the infusions"),
    (r"arms\.([^.]+)\.infusion", "Infusion, {0}"),
    (r"allocation\.ratio", "Allocation ratio"),
    (r"allocation\.method", "Allocation method"),
    (r"allocation\.block_sizes", "Block sizes"),
    (r"allocation\.stratify_by", "Allocation stratified by"),
    (r"course\.timing(?:\.(.+))?", "Share of the change reached by each visit"),
    (r"course\.control_change\.([^.]+)(?:\.(.+))?", "Change on {0} in the control arm, points"),
    (r"course\.means\.([^.]+)(?:\.(.+))?", "Mean scores of {0}, points"),
    (r"effects\.([^.]+)\.specific_share(?:\.([^.]+))?", "Share of the change that is specific to {0}"),
    (r"effects\.([^.]+)\.open_label_change(?:\.(.+))?", "Open-label change with {0}"),
    (r"effects\.([^.]+)\.points\.([^.]+)(?:\.(.+))?", "Effect of {0} on {1}, points"),
    (r"effects\.([^.]+)\.standardised\.([^.]+)(?:\.(.+))?", "Standardised effect of {0} on {1}"),
    (r"effects\.([^.]+)\.standardised_by", "SD that standardises the effect of {0}"),
    (r"effects\.([^.]+)(?:\.(?:points|standardised))?", "Effect of {0}"),
    (r"effects", "Effects"),
    (r"covariance\.visits\.structure", "Structure of the correlation between visits"),
    (r"covariance\.visits(?:\.(?:rho|anchors|matrix))?(?:\.(.+))?", "Correlation between visits"),
    (r"covariance\.outcomes(?:\.(.+))?", "Correlation between outcomes"),
    (r"covariance\.repair", "Repair of impossible correlations"),
    (r"dropout\.missing_by\.([^.]+)", "Missing by day {0}"),
    (r"dropout\.missing_by", "Missing by day"),
    (r"dropout\.never_starts", "Never start treatment"),
    (r"dropout\.score_hazard_ratio_per_sd", "Dropout hazard ratio per SD of the score"),
    (r"dropout\.arm_hazard_ratio\.([^.]+)", "Dropout hazard ratio, {0}"),
    (r"dropout\.stratum_hazard_ratio\.([^.]+)", "Dropout hazard ratio, {0}"),
    (r"dropout\.outcome", "Outcome that drives dropout"),
    (r"dropout\.model", "Dropout model"),
    (r"dropout", "Dropout"),
    (r"outcomes\.([^.]+)\.post_sd(?:\.(.+))?", "SD of {0} after baseline, points"),
    (r"outcomes\.([^.]+)\.residual_sd(?:\.(.+))?", "Residual SD of {0}, points"),
    (r"outcomes\.([^.]+)\.baseline_correlation(?:\.(.+))?", "Correlation of {0} with baseline"),
    (r"outcomes\.([^.]+)\.scale(?:\.(.+))?", "Scale of {0}"),
    (r"estimands\.([^.]+)\.visit", "Day of the visit, {0}"),
    (r"estimands\.([^.]+)\.outcome", "Outcome, {0}"),
    (r"estimands\.([^.]+)\.contrast", "Arms compared, {0}"),
    (r"estimands\.([^.]+)\.endpoint(?:\.(.+))?", "Endpoint, {0}"),
    (r"estimands\.([^.]+)\.non_inferiority_margin", "Non-inferiority margin, {0}"),
    (r"estimands\.([^.]+)\.equivalence_margin", "Equivalence margin, {0}"),
    (r"estimands\.([^.]+)\.interaction", "Strata compared, {0}"),
    (r"estimands\.([^.]+)\.intercurrent_events(?:\.dropout)?", "Strategy for leaving, {0}"),
    (r"estimands\.([^.]+)\.intercurrent_events\.([^.]+)", "Strategy for {1}, {0}"),
    (r"estimands\.([^.]+)\.failure_score", "Score of who left, {0}"),
    (r"estimands\.([^.]+)", "Estimand, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?method", "Analysis of {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?covariance", "Covariance structure, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?df", "Degrees of freedom, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?covariates", "Covariates, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?variance", "Standard errors, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?strategy", "Assumed of those who left, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?fallback", "Simpler covariance structures, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?alpha", "Two-sided alpha, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?covariance_by", "Covariance matrices of their own, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?delta", "Points added to imputed scores, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?imputations", "Imputations, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?jackknife", "Jackknife, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?group", "Groups with a random effect, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?residual_variance", "Residual variance, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?penalty", "Firth's penalty, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?interval", "Test and interval, {0}"),
    (r"analysis\.([^.]+)\.(?:\d+\.)?stratified", "Stratified, {0}"),
    (r"analysis\.([^.]+)(?:\.\d+)?", "Analysis of {0}"),
    (r"analysis", "Analyses"),
    (r"multiplicity\.method", "Procedure for several hypotheses"),
    (r"multiplicity\.alpha", "Two-sided alpha of the family"),
    (r"multiplicity\.weights(?:\.(.+))?", "Shares of alpha at the start"),
    (r"multiplicity\.transitions(?:\.(.+))?", "Where the share of a rejected hypothesis goes"),
    (r"multiplicity\.hypotheses(?:\.(.+))?", "Hypotheses tested together"),
    (r"multiplicity", "Hypotheses tested together"),
    (r"counts\.([^.]+)\.rate_per_year(?:\.(.+))?", "{0} a year in the control arms"),
    (r"counts\.([^.]+)\.rate_ratio\.([^.]+)(?:\.(.+))?", "Rate ratio of {0}, {1}"),
    (r"counts\.([^.]+)\.rate_ratio", "Rate ratios of {0}"),
    (r"counts\.([^.]+)\.dispersion", "Dispersion of {0}"),
    (r"counts\.([^.]+)", "Counted: {0}"),
    (r"clusters\.([^.]+)\.icc(?:\.(.+))?", "Intraclass correlation, {0}"),
    (r"clusters\.([^.]+)\.size", "Patients in each {0}"),
    (r"clusters\.([^.]+)\.number", "Number of {0}"),
    (r"clusters\.([^.]+)", "Groups of patients: {0}"),
)


_METHODS = {
    "mmrm": "MMRM",
    "clda": "cLDA",
    "ancova": "ANCOVA",
    "t_test": "t test",
    "welch": "Welch",
    "wilcoxon": "Wilcoxon",
    "van_elteren": "van Elteren",
    "reference_based": "reference-based imputation",
    "multiple_imputation": "multiple imputation",
    "nested": "nested mixed model",
    "risk_difference": "risk difference",
    "fisher": "Fisher",
    "cmh": "Cochran-Mantel-Haenszel",
    "logistic": "logistic regression",
    "g_computation": "g-computation",
    "log_rank": "log-rank",
    "cox": "Cox",
    "kaplan_meier": "Kaplan-Meier",
    "rmst": "restricted mean time",
    "negative_binomial": "negative binomial",
}


def name_words(name: str) -> str:
    """Return an identifier such as `no_bpd` with its underscores as spaces."""
    return name.replace("_", " ")


def path_words(path: str, *, labels: Mapping[str, str] | None = None) -> str:
    """Return a scenario path in words: those known for it, else its keys one after the other.

    Parameters
    ----------
    path : str
        Such as `effects.ketamine.specific_share`.
    labels : mapping, optional
        Words for the identifiers in it (arms, strata, outcomes); others get spaces for underscores.
    """
    known = labels or {}
    for pattern, words in _PATH_WORDS:
        match = re.fullmatch(pattern, path)
        if match:
            parts = [known.get(part, name_words(part)) for part in match.groups() if part is not None]
            # Groups beyond the placeholders narrow the path down, to a stratum for example.
            used = words.count("{")
            extra = f" ({', '.join(parts[used:])})" if len(parts) > used else ""
            return words.format(*parts) + extra
    spoken = ", ".join(known.get(part, name_words(part)) for part in path.split("."))
    return spoken[:1].upper() + spoken[1:]


def method_words(name: str) -> str:
    """Return an analysis's name as it is written: known abbreviations in capitals, a given name as given."""
    return _METHODS.get(name, name)


def estimand_label(name: str, labels: Mapping[str, str] | None = None) -> str:
    """Return the words for an estimand, its name with spaces where none are known."""
    return (labels or {}).get(f"estimands.{name}", name_words(name))


def is_share(path: str) -> bool:
    """Return whether values of this path are shares, to be shown in percent."""
    parts = path.split(".")
    return any(part in _SHARES for part in parts[-2:]) or (parts[0] in _LEVELS and parts[-1] == "alpha")


def value_words(path: str, value: object, *, labels: Mapping[str, str] | None = None) -> str:
    """Return one value of a scenario path as a reader expects it: shares in percent, ratios with colons.

    Parameters
    ----------
    path : str
    value : object
        What stands at the path; keys of a mapping without a value are left out.
    labels : mapping, optional
        Words for arms, strata and outcomes, where a value is the name of one.
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return percent(float(value)) if is_share(path) else number(float(value))
    known = labels or {}
    if isinstance(value, str):
        return known.get(value, _choice_words(path, value))
    if isinstance(value, Mapping):
        # A table file gives every mapping of a column the keys of all, with nothing in those that it did not have.
        held = {str(key): item for key, item in value.items() if item is not None}
        return ", ".join(
            f"{known.get(key, name_words(key))}: {value_words(f'{path}.{key}', item, labels=labels)}"
            for key, item in held.items()
        )
    if isinstance(value, Sequence):
        nested = any(isinstance(item, Sequence) and not isinstance(item, str) for item in value)
        separator = " : " if path.endswith("allocation.ratio") else "; " if nested else ", "
        return separator.join(value_words(path, item, labels=labels) for item in value)
    return str(value)


def _choice_words(path: str, value: str) -> str:
    key = path.rpartition(".")[2]
    if key == "method" and method_words(value) != value:
        return method_words(value)
    return name_words(value) if key in _CHOICES else value


def number(value: float, *, digits: int = 6, signed: bool = False) -> str:
    """Return a number in up to `digits` significant digits, with a true minus sign and no trailing zeros."""
    if not math.isfinite(value):
        return "not estimable" if math.isnan(value) else ("−" if value < 0 else "") + "infinite"
    text = f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.{digits}g}"
    plus = "+" if signed and value > 0 else ""
    return "0" if text == "-0" else plus + text.replace("-", "−")


def percent(share: float) -> str:
    """Return a share as percent, with as many decimals (at most two) as it has."""
    return f"{number(round(100 * share, 2))}{NO_BREAK_SPACE}%"


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """Return a number with a fixed count of decimals, a true minus sign, and a dash where there is none."""
    if math.isnan(value):
        return "–"
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    if float(text) == 0.0:
        text = f"{0.0:.{decimals}f}"
    return text.replace("-", "−")


def joined(items: Sequence[str], *, word: str = "and") -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"
