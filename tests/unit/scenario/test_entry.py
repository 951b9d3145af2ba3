"""Characteristics, eligibility and run-in as they are written: sources, defaults and faults."""

import numpy as np
import pytest

STRATA = "    no_bpd: {share: 0.5, baseline: defaults.trd_no_bpd}"


def population(text):
    """Change that adds a key to the population."""
    return (STRATA, f"{STRATA}\n  {text}")


def row(scenario, path):
    """The source of one value."""
    return next(entry for entry in scenario.provenance if entry.path == path)


def test_nothing_is_selected_or_drawn_unless_asked_for(resolved):
    assert resolved().variants[0].entry is None


def test_characteristics_come_from_the_evidence_by_stratum_with_their_tags(resolved):
    scenario = resolved(population("characteristics: {}"))
    age, female, bipolar, failed = scenario.variants[0].entry.characteristics
    assert [one.name for one in (age, female, bipolar, failed)] == ["age", "female", "bipolar", "failed_treatments"]
    np.testing.assert_array_equal([age.mean, age.sd], [[32, 45], [10, 13]])
    np.testing.assert_array_equal(female.mean, [0.8, 0.6])
    assert (age.minimum, age.maximum, failed.minimum) == (18, 75, 2)
    tags = {
        "age.mean.bpd": "derived",
        "age.mean.no_bpd": "measured",
        "age.sd.bpd": "assumed",
        "age.sd.no_bpd": "assumed",
        "female.share.no_bpd": "assumed",
        "bipolar.share.bpd": "assumed",
        "failed_treatments.mean.bpd": "assumed",
    }
    for path, tag in tags.items():
        assert row(scenario, f"population.characteristics.{path}").tag == tag


def test_given_characteristics_are_taken_by_stratum_or_for_all(resolved):
    written = "characteristics: {age: {mean: {bpd: 30, no_bpd: 50}, sd: 8, maximum: 65}, bipolar: {share: 1}}"
    age, _, bipolar, _ = resolved(population(written)).variants[0].entry.characteristics
    np.testing.assert_array_equal([age.mean, age.sd], [[30, 50], [8, 8]])
    assert age.maximum == 65
    np.testing.assert_array_equal(bipolar.mean, [1, 1])


def test_eligibility_takes_its_correlation_from_the_evidence_and_tells_who_passes(resolved):
    scenario = resolved(population("eligibility: {outcome: madrs, at_least: 28, inflation: 2}"))
    eligibility = scenario.variants[0].entry.eligibility
    assert (eligibility.outcome, eligibility.cut_off, eligibility.at_least) == (1, 28.0, True)
    assert (eligibility.inflation, eligibility.inflation_window, eligibility.days_before) == (2.0, 2.0, 7.0)
    assert row(scenario, "population.eligibility.screening_correlation").tag == "assumed"
    # Those at 26 and above pass: nearly a normal with mean 34.5 and SD 5.8 cut at 25.5.
    assert row(scenario, "population.eligibility.share_passing").value["bpd"] == pytest.approx(0.94, abs=0.01)


def test_run_in_improves_as_the_control_arms_do(resolved):
    scenario = resolved(population("run_in: {days: 7, response: 0.3}"))
    run_in, variant = scenario.variants[0].entry.run_in, scenario.variants[0]
    start, then = variant.baseline_mean[:, 0], variant.mean[0, :, 1, 0]
    np.testing.assert_allclose(run_in.improvement_mean, (start - then) / start, rtol=1e-12)
    r = variant.correlation[:, 0, 4]
    first, later = variant.baseline_sd[:, 0], variant.sd[:, 1, 0]
    change = np.sqrt(first**2 + later**2 - 2 * r * first * later)
    np.testing.assert_allclose(run_in.improvement_sd, change / start, rtol=1e-12)
    assert row(scenario, "population.run_in.correlation").tag == "assumed"


def test_the_true_value_on_the_real_line_is_that_of_all_to_rounding(resolved):
    written = "eligibility: {outcome: qids_sr16, at_least: 18}\n  run_in: {response: 0.2}"
    line = ("  qids_sr16: {}", "  qids_sr16: {scale: continuous}")
    assert resolved(line, population(written)).variants[0].estimands[0].true_value == pytest.approx(-2.0, abs=1e-12)
    on_scale = resolved(population(written)).variants[0].estimands[0].true_value
    assert on_scale != pytest.approx(-2.0, abs=1e-4)
    assert on_scale == pytest.approx(-2.0, abs=0.1)


def test_inflation_is_at_most_the_width_of_the_scale(faults):
    told = faults(population("eligibility: {outcome: madrs, at_least: 28, inflation: 61}"))
    assert any("population.eligibility.inflation: 61 points cannot be: the scale, from 0 to 60" in one for one in told)


def test_eligibility_may_be_varied(resolved):
    vary = ("simulation:", "vary: {population.eligibility.at_least: [16, 20]}\nsimulation:")
    two = resolved(population("eligibility: {outcome: qids_sr16, at_least: 18}"), vary).variants
    assert [variant.entry.eligibility.cut_off for variant in two] == [16.0, 20.0]


FAULTS = {
    "an outcome that is not measured": (
        "eligibility: {outcome: madras, at_least: 28}",
        "population.eligibility.outcome: there is no outcome 'madras'; did you mean 'madrs'?",
    ),
    "two cut-offs": (
        "eligibility: {outcome: madrs, at_least: 28, at_most: 40}",
        "population.eligibility: give either at_least or at_most",
    ),
    "no cut-off": ("eligibility: {outcome: madrs}", "population.eligibility: give either at_least or at_most"),
    "nobody passes": (
        "eligibility: {outcome: madrs, at_least: 54}",
        "population.eligibility.at_least: only 0.0",
    ),
    "above the scale": (
        "eligibility: {outcome: madrs, at_least: 61}",
        "population.eligibility.at_least: only 0 % of",
    ),
    "below the scale": (
        "eligibility: {outcome: madrs, at_most: -1}",
        "population.eligibility.at_most: only 0 % of",
    ),
    "a window beyond the inflation": (
        "eligibility: {outcome: madrs, at_least: 28, inflation: 2, inflation_window: 3}",
        "population.eligibility.inflation_window: must be at most inflation, 2",
    ),
    "inflation with at_most": (
        "eligibility: {outcome: madrs, at_most: 40, inflation: 2}",
        "population.eligibility.inflation: goes with at_least",
    ),
    "inflation by half a step": (
        "eligibility: {outcome: madrs, at_least: 28, inflation: 1.5}",
        "population.eligibility.inflation: must be a whole number of steps of 1, not 1.5",
    ),
    "a correlation that no screening score has": (
        "eligibility: {outcome: madrs, at_least: 28, screening_correlation: 1.0}",
        "population.eligibility.screening_correlation: must be below 1",
    ),
    "a run-in before screening": (
        "eligibility: {outcome: madrs, at_least: 28, days_before: 7}\n  run_in: {days: 14, response: 0.3}",
        "population.run_in.days: must be at most population.eligibility.days_before, 7",
    ),
    "a run-in that everybody fails": (
        "run_in: {response: 0.1, improvement: {mean: 0.6, sd: 0.1}}",
        "population.run_in.response: only ",
    ),
    "a run-in that tells too much": (
        "run_in: {response: 0.3, correlation: 0.95}",
        "population.run_in.correlation: must be at most 0.",
    ),
    "an outcome of the run-in that is not measured": (
        "run_in: {response: 0.3, outcome: gad7}",
        "population.run_in.outcome: there is no outcome 'gad7'",
    ),
    "a stratum that does not exist": (
        "run_in: {response: 0.3, improvement: {mean: {bpt: 0.1, no_bpd: 0.1}, sd: 0.2}}",
        "population.run_in.improvement.mean.bpt: there is no stratum 'bpt'",
    ),
    "bounds the wrong way round": (
        "characteristics: {age: {minimum: 60, maximum: 50}}",
        "population.characteristics.age.maximum: must be above minimum = 60, not 50",
    ),
    "a mean age outside the bounds": (
        "characteristics: {age: {mean: 17, sd: 4}}",
        "population.characteristics.age.mean: a mean of 17 in bpd is outside 18 to 75",
    ),
    "an SD of age that is too large": (
        "characteristics: {age: {mean: 20, sd: 10}}",
        "population.characteristics.age.sd: a normal distribution cut to 18 to 75 with a mean of 20 has an SD below 2.",
    ),
    "an SD of age below a year": (
        "characteristics: {age: {mean: 40, sd: 0.5}}",
        "population.characteristics.age.sd: must be at least 0.75 for whole years, not 0.5",
    ),
    "fewer failed treatments than the least": (
        "characteristics: {failed_treatments: {mean: 1.5}}",
        "population.characteristics.failed_treatments.mean: must be at least minimum = 2, not 1.5",
    ),
    "a correlation that a yes or no cannot have": (
        "characteristics: {female: {share: 0.5, baseline_correlation: 0.9}}",
        "population.characteristics.female.baseline_correlation: cannot be 0.9 in bpd",
    ),
    "a correlation of what everybody has": (
        "characteristics: {female: {share: 1, baseline_correlation: 0.2}}",
        "population.characteristics.female.baseline_correlation: everybody is alike",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_told_with_place_cause_and_remedy(faults, case):
    written, expected = FAULTS[case]
    told = faults(population(written))
    assert len(told) == 1, told
    assert expected in told[0], told


def test_strata_without_evidence_need_numbers(faults):
    own = "baseline: {qids_sr16: {mean: 18, sd: 3}, madrs: {mean: 33, sd: 5}}"
    course = ("simulation:", "course: {control_change: {qids_sr16: -4, madrs: -8}}\nsimulation:")
    told = faults((STRATA, f"    other: {{share: 0.5, {own}}}\n  characteristics: {{}}"), course)
    assert [fault.split(": ", 1)[1].split(";")[0] for fault in told] == [
        f"population.characteristics.{name}: no evidence on it for 'other': give population.characteristics.{name}"
        for name in ("age.mean", "age.sd", "female.share")
    ]


def test_the_largest_correlation_told_is_possible(faults, resolved):
    written = "run_in: {{response: 0.3, correlation: {}}}"
    (told,) = faults(population(written.format(0.95)))
    largest = float(told.split("must be at most ")[1].split(",")[0])
    assert resolved(population(written.format(largest))).variants[0].entry.run_in.correlation == largest
    assert len(faults(population(written.format(round(largest + 0.001, 4))))) == 1


def test_no_outcome_is_called_as_a_characteristic_is(faults):
    clusters = ("simulation:", "clusters: {age: {number: 4, icc: 0.05}}\nsimulation:")
    told = faults(population("characteristics: {}"), clusters)
    assert any(
        "population.characteristics: 'age' is the name of an outcome, count or cluster too" in one for one in told
    )


@pytest.mark.parametrize("key", ["characteristics", "run_in"])
def test_where_the_primary_outcome_is_a_count_the_outcome_must_be_named(faults, key):
    written = {"characteristics": "{age: {baseline_correlation: 0.1}}", "run_in": "{response: 0.3}"}[key]
    counts = (
        ("simulation:", "counts: {acts: {rate_per_year: 2}}\nsimulation:"),
        ("outcome: qids_sr16, visit: 14", "outcome: acts, visit: 14"),
        ("primary: {method: mmrm}", "primary: {method: negative_binomial}"),
        ("dropout: {", "dropout: {outcome: madrs, "),
    )
    told = faults(population(f"{key}: {written}"), *counts)
    assert any(f"population.{key}.outcome: is missing: the primary outcome is a count" in fault for fault in told), told
