"""What every column of the files and figures on how trials are run means."""

from __future__ import annotations

from collections.abc import Mapping

_CELL: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients asked for, all arms together.",
}

_QUANTILES: Mapping[str, str] = {
    "q05": "5th percentile over trials.",
    "q25": "25th percentile.",
    "q50": "Median.",
    "q75": "75th percentile.",
    "q95": "95th percentile.",
}

TRIALS: Mapping[str, str] = {
    **_CELL,
    "replicate": "Number of the simulated trial, from 0; the same number is the same trial in `estimates`.",
    "recruited": "1 where the number asked for was reached.",
    "recruited_by_target": "1 where it was reached within `target_months`.",
    "randomised_by_target": "Patients randomised by then.",
    "sites_opened": "Sites that opened before recruitment ended.",
    "smallest_site": "Patients of the site with fewest.",
    "largest_site": "Patients of the site with most.",
    "assessed": "People assessed for eligibility: the sum of what became of them, as follows.",
    "not_eligible": "Of these not eligible.",
    "declined": "Eligible, and declined.",
    "screen_failed": "Consented, and failed screening.",
    "run_in_failed": "Failed the run-in.",
    "turned_away": "Turned away because the quota of their stratum was full.",
    "in_screening_at_close": "In screening or run-in when recruitment ended.",
    "randomised": "Randomised.",
    "months_to_recruit": "Month of the last randomisation; empty where the number was not reached.",
    "months_recruiting": "Month in which recruitment ended, reached or not.",
    "months_to_last_visit": "Month of the last patient's last visit.",
    "infusions_given": "Infusions given.",
    "infusions_late": "Of these later than planned from the patient's first.",
    "infusions_missed": "Infusions that could not be given within `late_days`.",
    "visits_held": "Visits held.",
    "visits_missed": "Visits that could not be held within their window.",
    "share_infusions_late": "Late infusions over those given.",
    "share_infusions_missed": "Missed infusions over given and missed ones.",
    "share_visits_missed": "Missed visits over held and missed ones.",
    "left_before_start": "Patients who gave up waiting for their first infusion.",
    "left_before_therapy": "Patients who gave up waiting for a therapy group.",
    "stratum_(stratum)_randomised": "Patients of each stratum randomised, where there are several strata.",
    "randomised_(arm)": "Patients of each arm: randomised.",
    "left_before_start_(arm)": "Who gave up waiting for their first infusion.",
    "started_(arm)": "Who began.",
    "all_infusions_(arm)": "Who were given all infusions of the arm.",
    "left_before_therapy_(arm)": "Who gave up waiting for a therapy group.",
    "in_group_(arm)": "Who had a therapy group.",
    "last_visit_held_(arm)": "Whose last visit was held, leaving by scores left aside.",
    "last_visit_not_held_(arm)": "Who began and whose last visit was not held.",
    "missed_last_visit_(arm)": "Whose last visit could not be held within its window.",
    "mean_wait_days": "Mean days from randomisation to the first infusion, of those who had it.",
    "longest_wait_days": "Longest of these.",
    "use_(resource)": "Share of what there was of chairs, nurses, psychiatrists, therapists or raters that was used, "
    "where they have a limit.",
    "peak_use_(resource)": "The same in the month in which it was highest.",
    "busiest_site_use_(resource)": "The same at the site where it was highest.",
    "cost_(component)_usd": "Cost of each component of `operations.costs`.",
    "cost_total_usd": "Cost in all.",
    "cost_per_randomised_usd": "Cost in all over patients randomised.",
}
"""Columns of operations.parquet; their names without cell and replicate are the measures of operations_summary."""

WITH_GROUPS = """\
With therapy groups there are also `therapy_groups` (how many), `in_therapy_groups` (patients in them), `sessions_held`
and `sessions_cancelled` (patients' sessions), `mean_therapy_wait_days` and `longest_therapy_wait_days` (days from being
ready for a group to its first session).
"""

SUMMARY: Mapping[str, str] = {
    **_CELL,
    "measure": "A column of `operations`.",
    "trials": "Simulated trials in which it has a value.",
    "value": "Its mean over them.",
    "mcse": "Monte Carlo standard error of the mean.",
    **_QUANTILES,
    "low": "Lower end of the mean's 95 % Monte Carlo interval: Wilson's for `recruited` and `recruited_by_target`.",
    "high": "Upper end of it.",
    "closed_form": "Closed form of `recruited` and `recruited_by_target` where there are no quotas; else empty.",
}

CALENDAR: Mapping[str, str] = {
    **_CELL,
    "series": "`open_sites`; patients `randomised`, `waiting` for the first infusion, `in_trial`, `finished`, and "
    "those who `left` while waiting; `seen_at_primary_visit`, and `information`, their share of the final number; "
    "`use_(resource)` as in `operations`, of the month that begins then.",
    "month": "Months from the beginning of the trial.",
    "trials": "Simulated trials in which it has a value.",
    "mean": "Mean over them.",
    "mcse": "Its Monte Carlo standard error.",
    **_QUANTILES,
}

WAITS: Mapping[str, str] = {
    **_CELL,
    "queue": "`infusion`: for the first infusion; `therapy`: for a therapy group.",
    "days": "Days waited.",
    "trials": "Simulated trials in which anybody is to begin.",
    "mean": "Mean share of those who are to begin who have begun after at most so many days.",
    "mcse": "Its Monte Carlo standard error.",
    **_QUANTILES,
}

_MONTH: Mapping[str, str] = {"month": "Month of the trial."}
_MEAN: Mapping[str, str] = {"mean": "Mean over trials.", "mcse": "Its Monte Carlo standard error."}
_RANGE: Mapping[str, str] = {name: _QUANTILES[name] for name in ("q05", "q95")}
_ASKED: Mapping[str, str] = {"n": "Patients asked for."}

FIGURES: Mapping[str, Mapping[str, str]] = {
    "recruitment": {
        "panel": "Words for the number asked for.",
        **_ASKED,
        **_MONTH,
        **{name: f"{words[:-1]}, patients randomised by then." for name, words in _QUANTILES.items()},
        "target_months": "Month in which recruitment is hoped to be done.",
        "full_by_target": "Share of trials that are full by then.",
        "full_low": "Lower end of its 95 % Wilson interval.",
        "full_high": "Upper end of it.",
    },
    "site_rampup": {**_ASKED, **_MONTH, **_MEAN, **_QUANTILES},
    "pipeline": {
        "series": "`randomised`, `in_trial` or `finished`.",
        "series_label": "Words for it.",
        **_ASKED,
        **_MONTH,
        **_MEAN,
        **_QUANTILES,
    },
    "trial_flow": {
        "step": "Measure, as in `operations`.",
        "step_label": "Words for it.",
        "arm": "Arm; empty before randomisation.",
        "arm_label": "Words for it.",
        "lost": "Whether these people go no further.",
        **_ASKED,
        **_MEAN,
        **_RANGE,
        "visit_days": "Day of the primary visit; empty outside a run.",
        "share_missing": "Share of the randomised without a score there, those who left among them.",
    },
    "capacity_use": {
        "resource": "`chairs`, `nurses`, `psychiatrists`, `therapists` or `raters`.",
        "resource_label": "Words for it.",
        **_ASKED,
        **_MONTH,
        "mean": "Mean share in use over trials.",
        "mcse": "Its Monte Carlo standard error.",
        **_QUANTILES,
    },
    "waiting": {
        "queue": "`infusion` or `therapy`.",
        "queue_label": "Words for it.",
        **_ASKED,
        "days": "Days waited.",
        "mean": "Mean share of those who are to begin who have begun by then.",
        "mcse": "Its Monte Carlo standard error.",
        **_RANGE,
    },
    "trial_costs": {
        "component": "What it is for; `total` is all of it.",
        "component_label": "Words for it.",
        **_ASKED,
        "mean": "Mean cost over trials, USD.",
        "mcse": "Its Monte Carlo standard error.",
        **_RANGE,
        "share": "Mean over the mean of all.",
    },
    "power_by_means": {
        "line": "Varied values; empty where nothing is varied.",
        **_ASKED,
        "quantity": "What the power is: of the test alone, within a procedure, for all co-primary hypotheses.",
        "power": "As in `summary`, of what decides the trial: of hypotheses tested together as in `families`.",
        "power_mcse": "Its Monte Carlo standard error.",
        "power_low": "Lower end of its 95 % Wilson interval.",
        "power_high": "Upper end of it.",
        "months": "Mean months to the last visit.",
        "months_mcse": "Its Monte Carlo standard error.",
        "months_q05": "5th percentile over trials.",
        "months_q95": "95th percentile.",
        "usd": "Mean cost, USD.",
        "usd_mcse": "Its Monte Carlo standard error.",
        "usd_q05": "5th percentile over trials.",
        "usd_q95": "95th percentile.",
        "randomised": "Mean number randomised.",
        "usd_per_percent": "Mean cost over power in percent.",
        "usd_per_percent_mcse": "Its Monte Carlo standard error, by the delta method.",
    },
}

DRAWN: Mapping[str, str] = {
    "recruitment": "With `operations`, as all that follow: patients randomised by month.",
    "site_rampup": "Sites that are open by month.",
    "pipeline": "Patients randomised, under way and past the last visit by month.",
    "trial_flow": "From those assessed to the last visit.",
    "capacity_use": "Use of what has a limit, by month.",
    "waiting": "Shares who have begun after so many days of waiting.",
    "trial_costs": "Cost by what it is for.",
    "power_by_means": "Power against months and against money, where there is an effect.",
}
"""Figures of a run on operations by name, and when each is drawn."""

WRITTEN = """\
`trialsim operations FILE --out FOLDER` writes `operations.csv`, `operations_summary.csv`, `operations_calendar.csv`
and `operations_waits.csv` with the columns of a run's (without varied paths), `operations.json` (the last three, and
power beside months and money where runs are named) and the figures from `recruitment` to `trial_costs`, with `--run`
also `power_by_means`. `trialsim plot operations FILE` writes these figures.
"""
