"""What every column of the tables that trialsim writes means."""

from __future__ import annotations

from collections.abc import Mapping

SUMMARY: Mapping[str, str] = {
    "cell": "Number of the cell, from 0: variants in order, sample sizes rising within.",
    "variant": "Number of the combination of varied values, from 0.",
    "(varied path)": "One column for each path under `vary`, named after it, with the value of this variant.",
    "n": "Patients randomised, all arms together.",
    "estimand": "Name of the estimand.",
    "outcome": "Outcome, or count, that the estimand is about.",
    "endpoint": "`score`, `response`, `time to relapse` ...: the estimand's variable.",
    "visit_days": "Day of its visit.",
    "contrast": "`active - control`, by the names of the arms, with weights and strata where there are any.",
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
    "relative_error_model_se": "Model SE over empirical SE, less 1, in percent; empty where a method has no SE.",
    "bias_eliminated_coverage": "Share of confidence intervals that hold the mean of the estimates.",
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

SAFETY: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients randomised, all arms together.",
    "event": "Name of the adverse event, count or event.",
    "kind": "`adverse_event`, `count` (suicide attempts are one) or `event` (of the scenario's `events`).",
    "arm": "Name of the arm.",
    "replicates": "Simulated trials.",
    "mean_randomised": "Mean number of patients of the arm.",
    "mean_events": "Mean number of events seen in the arm.",
    "share_of_patients": "Mean share of its patients with at least one.",
    "exposure_unit": "`infusions` for what comes with infusions, else `person-years`.",
    "mean_exposure": "Mean number of infusions given, or of person-years followed; of what happens at most once to a "
    "patient (`kind` is `event`) person-years at risk, which end at the event.",
    "rate": "Events per exposure: the ratio of the two sums over replicates. Where `kind` is `event` this is the "
    "exposure-adjusted incidence rate (EAIR): patients with the event over person-years from randomisation to it.",
}

STOPPING: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients randomised, all arms together.",
    "event": "Event that the rule watches.",
    "watched_arm": "Arm in which an excess stops the trial.",
    "control_arm": "Arm that it is held against.",
    "looks": "Number of looks of a trial of this size.",
    "alpha": "One-sided level of each look.",
    "replicates": "Simulated trials.",
    "share_stopped": "Share of them that the rule stops.",
    "share_stopped_low": "Lower end of its 95 % Wilson interval.",
    "share_stopped_high": "Upper end of its 95 % Wilson interval.",
    "mean_n_at_stop": "Mean number of patients who had completed at the stop, over trials that were stopped.",
    "expected_n": "The same over all trials, with all patients where the trial went on to the end.",
    "estimand": "Name of the estimand.",
    "method": "As in `summary`.",
    "power": "As in `summary`: as if no trial were stopped.",
    "power_with_stops": "Power where a trial that is stopped has found nothing.",
}

BLINDING: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients randomised, all arms together.",
    "arm": "Name of the arm; arms without infusions are not asked.",
    "active": "Whether a guess of *active* is right in this arm.",
    "replicates": "Simulated trials.",
    "says_active": "Mean share of those asked who guess that they are in an active arm.",
    "bang": "Mean of Bang's index of the arm: 1 if all are right, 0 as by chance, −1 if all are wrong.",
    "james": "Mean of James' index of all arms, the same in each row of a cell: 0 if all are right, ½ as by chance.",
}

TWINS: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "n": "Patients randomised, all arms together.",
    "estimand": "Name of the estimand.",
    "method": "As in `summary`.",
    "power": "Simulated power, as in `summary`.",
    "closed_form": "Power by the closed form that comes nearest.",
    "difference": "`power` − `closed_form`.",
    "allowance": "By how much the formula itself may be off.",
    "differs": "Whether the two differ by more than that and 4.9 Monte Carlo standard errors.",
    "formula": "The closed form, in words.",
    "leaves_out": "What it takes no account of.",
}

CLINIC: Mapping[str, str] = {
    "variant": "As in `summary`.",
    "(varied path)": "As in `summary`.",
    "estimand": "Name of the estimand.",
    "active": "Label of the active arm.",
    "control": "Label of the control arm.",
    "endpoint": "Name of a binary endpoint; empty for a score, of which a response is counted.",
    "favourable": "Whether meeting it is wanted.",
    "points": "True difference of means, active − control; exact where its interval has no width.",
    "points_low": "Lower end of its 95 % Monte Carlo interval.",
    "points_high": "Upper end.",
    "d": "The same in standard deviations of the scores at the visit, within arms.",
    "d_low": "Lower end of its 95 % Monte Carlo interval.",
    "d_high": "Upper end.",
    "responders_active": "Share of the active arm who respond: half the baseline or below, or the endpoint.",
    "responders_active_low": "Lower end of its 95 % Monte Carlo interval.",
    "responders_active_high": "Upper end.",
    "responders_control": "The same of the control arm.",
    "responders_control_low": "Lower end of its 95 % Monte Carlo interval.",
    "responders_control_high": "Upper end.",
    "more": "`responders_active` − `responders_control`.",
    "more_low": "Lower end of its 95 % Monte Carlo interval.",
    "more_high": "Upper end.",
    "number_needed": "Number needed to treat; negative: to harm. Empty where the simulation sees no difference.",
    "number_needed_low": "Lower end of its 95 % Monte Carlo interval.",
    "number_needed_high": "Upper end.",
    "better": "Probability that a patient on active does better than another on control, ties as a half.",
    "better_low": "Lower end of its 95 % Monte Carlo interval.",
    "better_high": "Upper end.",
    "patients": "Simulated under each arm.",
}

SAFETY_PARTS: Mapping[str, str] = {
    "n": "Patients randomised; sizes rising, 250 replicates each.",
    "stopped_at": "Patients who had completed when the rule stopped the trial; 0 where it went on.",
    "randomised_A": "Patients of the arm.",
    "infusions_A": "Infusions given in the arm.",
    "days_A": "Days followed in the arm.",
    "events_E_A": "Events of this kind in the arm.",
    "patients_E_A": "Patients with at least one.",
    "days_E_A": "Days at risk: days followed, up to the event for what happens at most once to a patient.",
}
"""Columns of parts/safety_*.parquet: E is the number of the event, A that of the arm."""

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
    "environment": "Operating system, machine, byte order, and kind of processor: architecture, kernels of linear "
    "algebra, vector extensions.",
    "scenario": "The resolved scenario, as `trialsim explain FILE --json` prints it: what was written, the "
    "numbers of each variant, and the source of every value.",
    "computed_with": "Versions and kinds of processor that blocks were computed with: one, unless several machines "
    "took part.",
    "checksums": "SHA-256 and size in bytes of parts, results, figures and report, by name; once the run is finished.",
}

RUN: Mapping[str, str] = {
    "finished": "Whether the run was carried through to its end.",
    "replicates": "Simulated trials per cell.",
    "sessions": "One for each process that computed something, in order:",
}

SESSION: Mapping[str, str] = {
    "started_unix": "Its start, seconds since 1970 (UTC), by the clock of the machine.",
    "host": "Name of the machine.",
    "process": "Number of the process.",
    "workers": "Processes that computed; 0 where a cluster did.",
    "state": "`running` (or killed while it was), `finished`, `stopped` (a shard), `interrupted`, `failed`.",
    "units_computed": "Blocks that it computed; the rest was there.",
    "compute_seconds": "Seconds of computing, summed over workers.",
    "cpu_seconds": "Seconds of processor time, summed over workers.",
    "wall_seconds": "Seconds from its start to its end.",
}

FAILURES: Mapping[str, str] = {
    "cell": "As in `summary`.",
    "n": "Patients randomised.",
    "estimand": "Name of the estimand.",
    "method": "As in `summary`.",
    "replicate": "Number of the simulated trial, from 0.",
    "outcome": "`fell_back` or `failed`.",
    "rung": "What was used instead, or why the fit failed.",
    "command": "What shows the trial, with FOLDER for the run folder.",
}

FLOW: Mapping[str, str] = {
    "stage": "`screened`, `randomised`, `allocated`, `seen on day 14` ...: a stage of a CONSORT diagram.",
    "arm": "Name of the arm; `all` for all patients.",
    "patients": "How many.",
}

COHORT: Mapping[str, str] = {
    "patient": "Number of the patient, from 1, in order of randomisation.",
    "stratum": "Name of the stratum.",
    "arm": "Name of the arm; with `--potential-outcomes` that of the world in which the patient is shown.",
    "assigned": "With `--potential-outcomes`: the arm that the patient was randomised to.",
    "(cluster)": "With `clusters`: number of the patient's group, from 1; empty for who is in none.",
    "age": "With `population.characteristics`: age in whole years.",
    "female": "With `population.characteristics`: 1 for women, 0 for men.",
    "bipolar": "With `population.characteristics`: 1 for bipolar depression, 0 for unipolar.",
    "failed_treatments": "With `population.characteristics`: treatments that have failed.",
    "screening": "With `population.eligibility`: the recorded screening score, points.",
    "screened": "With `population.eligibility` or `run_in`: people screened until this patient was randomised, "
    "that one included.",
    "excluded_in_run_in": "With `population.run_in`: how many of those went out in the run-in.",
    "day": "Day; 0 is baseline.",
    "(outcome)": "One column for each outcome, in points; empty at a missed visit and once the patient has left.",
    "(count)": "With `counts`, and `suicide_attempts` of `safety`: events since the visit before; empty on day 0 and "
    "where the visit is not seen.",
    "(event)_day": "With `events`: day of the event, to three decimals, in all rows of the patient; empty where none "
    "was seen. What happens on the way to the first visit that a patient misses on leaving is seen too: its day then "
    "lies between `followed_until_day`, or the last visit attended, and the next one.",
    "followed_until_day": "With `missing` or `operations`: day of the last visit, seen or missed, before the patient "
    "left or died; an event on the way to the next visit is seen all the same, so that its day may be later.",
    "infusions_given": "Where an estimand's `analysis_set` is not `itt`: infusions given to the patient.",
    "cadss_infusion_N": "With `dissociation` or `unblinding`: CADSS at infusion N, 0 to 92, in all rows of the "
    "patient; empty where the infusion was not given.",
    "says_active": "With `unblinding`: 1 for who believes in the active drug after the last infusion, 0 for who does "
    "not, asked whether they have left or not; empty for who has no infusions.",
    "sessions_attended": "With `attendance` of a therapy: its sessions attended up to the last visit.",
    "(adverse event)": "With `safety`: how many since the visit before, on day 0 those of that day; empty once the "
    "patient has left.",
    "present": "Whether the patient is seen on that day: has not left, and does not miss the visit.",
    "(outcome)_item_N": "With `--items`: score of item N of the QIDS-SR16 (0 to 3) or BSL-23 (0 to 4). Item 12 of the "
    "QIDS-SR16 is `qids_si` where that is an outcome too, or the nearest that the total allows.",
    "(outcome)_domain_NAME": "With `--items`: score of a domain of the QIDS-SR16, 0 to 3; they add up to the total.",
}

REPLAY: Mapping[str, str] = {
    "quantity": "Name of the quantity.",
    "label": "Words for it.",
    "mark": "`calibration`, `check` or `assumed`.",
    "unit": "`points`, `SD`, `share` ...",
    "published": "Published figure; empty where there is none in numbers.",
    "published_low": "Lower end of its 95 % Wilson interval, for a share.",
    "published_high": "Upper end of it.",
    "published_n": "Patients behind it; 0 where that is not known.",
    "published_words": "What was published in words only.",
    "evidence": "Its name in the [evidence catalogue](evidence.md).",
    "simulated": "Mean over simulated studies, under the study's own arm.",
    "simulated_mcse": "Its Monte Carlo standard error.",
    "simulated_low": "2.5th percentile over simulated studies.",
    "simulated_high": "97.5th percentile.",
    "compared": "What each simulated study is asked, such as whether its change is as large.",
    "agrees": "Share of simulated studies that say yes.",
    "agrees_mcse": "Its Monte Carlo standard error.",
    "instead": "Mean in the same patients under the other arm.",
    "instead_low": "2.5th percentile over simulated studies.",
    "instead_high": "97.5th percentile.",
    "by_drug": "`simulated` − `instead`.",
}

COMPARED: Mapping[str, str] = {
    "name": "Name of the design.",
    "label": "Words for it.",
    "file": "Scenario file.",
    "folder": "Its run folder, below that of the comparison.",
    "cell": "Its cell in that run.",
    "analysis": "Analysis that is compared: the first of the estimand.",
    "contrast": "Arms that are compared.",
    "null": "Whether every claim is false, so that `power` is the chance of one.",
    "true_value": "True value of the estimand.",
    "mean_estimate": "Mean of the estimates.",
    "usable": "Trials in the denominator of `power`: all fits that decide gave an estimate.",
    "failed": "Trials that are not.",
    "procedure": "The multiplicity procedure that decides the trial; empty where the hypothesis is tested alone.",
    "decided_by": "Estimands that a success finds: of co-primary hypotheses all, otherwise the one compared.",
    "power": "Share of usable trials that succeed: within the procedure, or by the test alone where there is none.",
    "adjusted_power": "The same; empty where the hypothesis is tested alone.",
    "power_alone": "Share of usable fits that find the effect by the test alone, at its own level.",
    "n": "Patients randomised.",
    "control_patients": "Expected patients in the arms on the control side of the contrast.",
    "share_missing": "Mean share of the randomised without a score at the visit.",
    "patients_missing": "Their expected number.",
    "bias": "Mean estimate minus true value.",
    "unblinding_bias": "Mean estimate minus the effect without what patients and raters expect; empty without "
    "`unblinding`.",
    "coverage": "Share of confidence intervals that hold the true value.",
    "schedule_days": "Days from baseline to the last visit.",
    "infusions_per_patient": "Planned infusions, mean over arms by their share.",
    "infusions": "The same over all patients.",
    "visits_per_patient": "Planned visits, baseline among them.",
    "visits": "The same over all patients.",
    "months": "Duration of the trial; empty where nothing is said of operations.",
    "cost_usd": "Its cost; empty where nothing is said of operations.",
    "power_low": "Lower end of the 95 % Wilson interval of `power`.",
    "power_high": "Upper end of it.",
    "rank": "Place by the measure asked for, 1 for the best; empty where there is none.",
    "rank_best": "Best place that the design may have, Monte Carlo error allowed for.",
    "rank_worst": "Worst place.",
    "feasible": "Whether it keeps to the budget.",
    "on_front": "Whether no other design beats it on all measures of the front, beyond Monte Carlo error.",
    "beaten_by": "Designs that do.",
    "apparently_beaten_by": "Designs that do by the values found, be it by chance.",
}
"""Columns of a comparison's designs.parquet."""

DIFFERENCES: Mapping[str, str] = {
    "design": "First design; differences are first minus second.",
    "other": "Second design.",
    "against_reference": "Whether the second is the reference.",
    "same_trials": "Whether both are the same trials, analysed alike; their difference is then exactly 0.",
    "power_difference": "Difference of power; its Monte Carlo standard error is that of the pairs.",
    "power_difference_low": "Lower end of its 95 % interval.",
    "power_difference_high": "Upper end of it.",
    "level_adjusted": "Level of the adjusted interval: 1 − 0.05/k for k comparisons.",
    "power_difference_low_adjusted": "Lower end of the adjusted interval.",
    "power_difference_high_adjusted": "Upper end of it.",
    "independent_mcse": "Error that the difference of power would have, had each design patients of its own.",
    "mcse_ratio": "Paired over independent error; empty where the latter is 0.",
    "replicates_saved_factor": "How many times as many trials independent runs would need.",
    "normal_mcse_ratio": "The ratio that normal test statistics allow; only where designs differ in the number of "
    "patients alone.",
    "estimate_difference": "Difference of the mean estimates; empty where the measures differ.",
    "estimate_difference_low_adjusted": "Lower end of its adjusted interval.",
    "estimate_difference_high_adjusted": "Upper end of it.",
    "bias_difference": "Difference of the biases.",
    "bias_difference_low_adjusted": "Lower end of its adjusted interval.",
    "bias_difference_high_adjusted": "Upper end of it.",
}
"""Columns of a comparison's differences.parquet."""

COMPARISON_MANIFEST: Mapping[str, str] = {
    "kind": "`comparison`.",
    **{key: MANIFEST[key] for key in ("title", "schema", "seed", "block_size", "seed_scheme", "trialsim")},
    "replicates": "Simulated trials per design.",
    "versions": MANIFEST["versions"],
    "environment": MANIFEST["environment"],
    "designs": "By name: file, run folder, hash of its scenario, cell and number of patients.",
}

COMPARISON: Mapping[str, str] = {
    "schema": "Version of this file.",
    "kind": "`comparison`.",
    "title": "Title of the scenario, or how many are compared.",
    "question": "The estimand and its parts, as the reference asks it.",
    "reference": "Name of the design that the others are held against.",
    "metric": "Measure of the ranks.",
    "front_metrics": "Measures of the Pareto front.",
    "target": "Power wanted.",
    "budget": "Limits that were given.",
    "replicates": "Simulated trials per design.",
    "seed": "Seed of all draws.",
    "designs": "As in designs.parquet, with arms, what each design changes, a true effect that is a `harm`, and for "
    "each measure `value`, `mcse`, of a share of trials `low` and `high`, and, where there is none, `reason`.",
    "differences": "As in differences.parquet.",
    "notes": "What was left aside or made alike.",
    "findings": "What was found, in sentences.",
}
"""Keys of comparison.json, which `--json` prints, with the folder."""
