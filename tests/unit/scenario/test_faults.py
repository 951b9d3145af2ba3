"""What is wrong in a scenario is told at its line and column, with what would be right, and all at once."""

from __future__ import annotations

import pytest

from trialsim.errors import InputError
from trialsim.scenario import load, resolve

CASES = {
    "unknown key, nearest named": (
        ("allocation: {ratio", "allocation: {ratoi"),
        "14:14: allocation.ratoi: unknown key; did you mean 'ratio'?",
    ),
    "unknown top key": (("analysis:", "analysys:"), "20:1: analysys: unknown key; did you mean 'analysis'?"),
    "missing key": (("visit: 14, ", ""), "19:3: estimands.primary.visit: is missing: day of the visit"),
    "text for a number": (
        ("{share: 0.5, baseline: defaults.trd_bpd}", "{share: half}"),
        "5:18: population.strata.bpd.share: a number is needed, not the text 'half'",
    ),
    "true is not a number": (("seed: 7", "seed: true"), "23:36: simulation.seed: a whole number is needed, not true"),
    "fraction for a whole number": (
        ("replicates: 10", "replicates: 10.5"),
        "23:26: simulation.replicates: a whole number is needed, not 10.5",
    ),
    "list for a mapping": (("{method: mmrm}", "{method: [mmrm]}"), "21:21: analysis.primary.method: must be 'mmrm'"),
    "outside its bounds": (
        ("never_starts: 0.03", "never_starts: 1.5"),
        "dropout.never_starts: must be at most 1, not 1.5",
    ),
    "percent for a share": (
        ("never_starts: 0.03", "never_starts: 3"),
        "dropout.never_starts: must be at most 1, not 3; for 3 % write 0.03",
    ),
    "percent sign": (
        ("never_starts: 0.03", "never_starts: 3 %"),
        "dropout.never_starts: a number is needed, not the text '3 %'; write 0.03",
    ),
    "unknown choice": (
        ("method: mmrm", "method: mrmm"),
        "analysis.primary.method: must be 'mmrm', 'clda', 'ancova', 't_test', 'welch', 'wilcoxon'",
    ),
    "name with a blank": (
        ("  midazolam: {", "  'mida zolam': {"),
        "12:3: arms.mida zolam: a name begins with a letter",
    ),
    "day that is no day": (("{14: 0.07}", "{soon: 0.07}"), "dropout.missing_by.soon: a day is needed as the key"),
    "wrong schema": (("schema: 1", "schema: 2"), "1:9: schema: must be 1, not 2"),
    "shares": (
        ("no_bpd: {share: 0.5", "no_bpd: {share: 0.4"),
        "4:3: population.strata: the shares 0.5 and 0.4 add to 0.9; they must add to 1",
    ),
    "ratio and arms": (
        ("ratio: [1, 1]", "ratio: [1, 1, 1]"),
        "14:21: allocation.ratio: three numbers for two arms (midazolam, ketamine)",
    ),
    "block sizes": (
        ("[4, 6]", "[4, 5]"),
        "14:46: allocation.block_sizes.1: must be a multiple of 2, the sum of the ratio 1:1, not 5",
    ),
    "outcome that nobody measures": (
        ("outcome: qids_sr16", "outcome: qids_sr61"),
        "19:22: estimands.primary.outcome: nobody measures 'qids_sr61'; did you mean 'qids_sr16'?",
    ),
    "analysis of no estimand": (
        ("  primary: {method", "  prime: {method"),
        "21:3: analysis.prime: there is no estimand 'prime' to analyse; did you mean 'primary'?",
    ),
    "visit that does not exist": (
        ("visit: 14", "visit: 15"),
        "19:40: estimands.primary.visit: there is no visit on day 15; visits are on days 3, 7, 10 and 14",
    ),
    "arm that does not exist": (
        ("contrast: [ketamine,", "contrast: [ketamin,"),
        "estimands.primary.contrast.0: there is no arm 'ketamin'; did you mean 'ketamine'?",
    ),
    "contrast of an arm with itself": (
        ("[ketamine, midazolam]", "[ketamine, ketamine]"),
        "two different arms are needed",
    ),
    "no primary": (
        ("estimands:\n  primary", "estimands:\n  main"),
        "18:1: estimands: one of the estimands must be named",
    ),
    "effect of an unknown arm": (
        ("effects:\n  ketamine", "effects:\n  ketamin"),
        "16:3: effects.ketamin: there is no arm 'ketamin'; did you mean 'ketamine'?",
    ),
    "effect on an unknown outcome": (
        ("madrs: -5.0", "mdrs: -5.0"),
        "effects.ketamine.points.mdrs: there is no outcome",
    ),
    "effect that leaves an outcome out": (
        (", madrs: -5.0", ""),
        "16:14: effects.ketamine.points: nothing is said for the outcome madrs: name every outcome (0 for no effect)",
    ),
    "two kinds of effect": (
        (
            "{points: {qids_sr16: -2.0, madrs: -5.0}}",
            "{points: {qids_sr16: -2.0, madrs: 0}, open_label_change: danayan2023}",
        ),
        "16:3: effects.ketamine: one of open_label_change, points and standardised is needed",
    ),
    "key of another kind of effect": (
        ("madrs: -5.0}}", "madrs: -5.0}, specific_share: 0.3}"),
        "effects.ketamine.specific_share: goes with open_label_change, not with points",
    ),
    "unknown study": (
        ("{points: {qids_sr16: -2.0, madrs: -5.0}}", "{open_label_change: danayan2032}"),
        "16:33: effects.ketamine.open_label_change: the catalogue has no study 'danayan2032'; did you mean",
    ),
    "mean outside its scale": (
        ("qids_sr16: -2.0", "qids_sr16: -20"),
        "16:34: effects.ketamine.points.qids_sr16: the mean of qids_sr16 at day 14 in ketamine, bpd would be -5.45, "
        "outside the scale: strictly within 0 to 27 is attainable",
    ),
    "SD that the scale cannot have": (
        ("qids_sr16: {}", "qids_sr16: {post_sd: 15}"),
        "8:24: outcomes.qids_sr16.post_sd: the SD of qids_sr16 at day 3 in midazolam, bpd cannot be 15 "
        "with a mean of 16.72: 0.4478 to 13.11 is attainable",
    ),
    "residual SD above the SD": (
        ("madrs: {}", "madrs: {residual_sd: 12}"),
        "9:24: outcomes.madrs.residual_sd: must be at most the SD of the scores themselves, post_sd = 11, not 12",
    ),
    "unknown scale": (
        ("madrs: {}", "madrs: {instrument: mdrs}"),
        "the catalogue has no instrument 'mdrs'; did you mean 'madrs'?",
    ),
    "days that do not rise": (
        ("visits: [3, 7, 10, 14]", "visits: [3, 7, 7, 14]"),
        "10:53: schedule.visits.2: days must rise",
    ),
    "visit on day 0": (
        ("visits: [3, 7, 10, 14]", "visits: [0, 3, 7, 14]"),
        "schedule.visits.0: visits come after day 0",
    ),
    "missing share that falls": (
        ("{14: 0.07}", "{7: 0.1, 14: 0.07}"),
        "dropout.missing_by.14: the share missing cannot fall: 0.1 by day 7, 0.07 by day 14",
    ),
    "missing share that ends early": (("{14: 0.07}", "{10: 0.07}"), "17:23: dropout.missing_by: ends on day 10"),
    "never starts above missing": (
        ("never_starts: 0.03", "never_starts: 0.1"),
        "must be at most the share missing by day 14",
    ),
    "size listed twice": (("[80, 120]", "[80, 80]"), "22:19: sample_size.1: 80 is listed twice"),
    "size too small": (("[80, 120]", "[4, 2]"), "sample_size.1: must be at least 4, not 2"),
    "varied path inside another": (
        ("simulation:", "vary: {dropout.missing_by: [{14: 0.1}], dropout.missing_by.14: [0.1, 0.2]}\nsimulation:"),
        "vary.dropout.missing_by.14: lies inside dropout.missing_by, which is varied too",
    ),
    "path that cannot be varied": (
        ("simulation:", "vary: {simulation.seed: [1, 2]}\nsimulation:"),
        "23:8: vary.simulation.seed: simulation cannot be varied",
    ),
    "varied value at fault": (
        ("simulation:", "vary: {dropout.never_starts: [0, 0.5]}\nsimulation:"),
        "23:34: vary.dropout.never_starts[1]: must be at most the share missing by day 14, 0.07, which it is part of",
    ),
    "varied value at fault elsewhere": (
        ("simulation:", "vary: {allocation.ratio: [[1, 1], [1, 2]]}\nsimulation:"),
        "(with allocation.ratio = [1, 2])",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_is_told_with_place_and_remedy(faults, name):
    change, expected = CASES[name]
    told = faults(change)
    assert any(expected in line for line in told), told
    assert len(told) <= 3, told


def test_covariance_that_is_not_positive_definite_names_the_pair(faults):
    told = faults(
        ("madrs: {}", "madrs: {}\n  bsl23: {}"),
        ("madrs: -5.0", "madrs: -5.0, bsl23: 0"),
        (
            "simulation:",
            "covariance:\n  outcomes:\n    - {pair: [qids_sr16, madrs], baseline: 0.95}\n"
            "    - {pair: [madrs, bsl23], baseline: -0.5}\nsimulation:",
        ),
    )
    assert len(told) == 1
    assert told[0].startswith("26:7: covariance.outcomes.0: the correlations cannot all hold")
    assert "most to blame is 0.95 of qids_sr16 with madrs at baseline; the nearest possible is" in told[0]


def test_visit_matrix_that_is_not_positive_definite_names_the_days(faults):
    rows = "[[1, .9, .9, -.9], [.9, 1, .9, .9], [.9, .9, 1, .9], [-.9, .9, .9, 1]]"
    change = ("simulation:", f"covariance: {{visits: {{structure: unstructured, matrix: {rows}}}}}\nsimulation:")
    (told,) = faults(change)
    assert told.startswith("23:14: covariance.visits: ")
    assert "between visits on days 3 and 14" in told


# A score that is nearly always 0 cannot go along closely with one that is spread out.
RARE = "{qids_sr16: {mean: 18, sd: 4}, madrs: {mean: 30, sd: 6}, rare: {mean: 0.02, sd: 0.15}}"
UNATTAINABLE = (
    ("madrs: {}", "madrs: {}\n  rare: {scale: {min: 0, max: 2, step: 1}, post_sd: 0.15}"),
    ("defaults.trd_bpd", RARE),
    ("defaults.trd_no_bpd", RARE),
    ("madrs: -5.0", "madrs: -5.0, rare: 0"),
)
PAIRS = "[{pair: [qids_sr16, rare], baseline: 0.9, later: 0.2}, {pair: [madrs, rare], baseline: 0.3, later: 0.2}]"
UNATTAINABLE_SETTINGS = {
    "course.control_change.rare": 0,
    "covariance.outcomes": PAIRS,
    "outcomes.rare.baseline_correlation": 0.1,
}


def test_correlation_that_the_scales_cannot_have_is_told(faults):
    told = faults(*UNATTAINABLE, settings=UNATTAINABLE_SETTINGS)
    assert len(told) == 2, told  # one for each stratum
    assert "correlation of qids_sr16 at baseline with rare at baseline in midazolam, bpd cannot be 0.9" in told[0]
    assert "is attainable" in told[0]


@pytest.mark.parametrize(
    "needs_it",
    [
        ("outcomes:", "  eligibility: {outcome: madrs, at_least: 25}"),
        ("effects:", "clusters:\n  site: {size: 10, icc: 0.02}"),
    ],
    ids=["who enters", "groups"],
)
def test_it_is_told_before_what_needs_such_scores_and_of_varied_values_too(faults, needs_it):
    before, block = needs_it
    told = faults(
        *UNATTAINABLE,
        (f"{before}\n", f"{block}\n{before}\n"),
        settings={**UNATTAINABLE_SETTINGS, "vary": {"dropout.never_starts": [0.01, 0.05]}},
    )
    assert len(told) == 2, told
    assert all("cannot be 0.9 on these scales" in line for line in told)


def test_what_is_known_to_be_sound_is_not_tried_again(write):
    unsound = load(write(*UNATTAINABLE), settings=UNATTAINABLE_SETTINGS)
    seen = []
    with pytest.raises(InputError, match=r"cannot be 0\.9 on these scales"):
        resolve(unsound, known=lambda resolved: bool(seen.append(resolved)))
    assert resolve(unsound, known=lambda resolved: resolved.hash == seen[0].hash).hash == seen[0].hash


def test_outcome_without_evidence_asks_for_its_numbers(faults):
    added = ("madrs: {}", "madrs: {}\n  mood: {}")
    effect = ("madrs: -5.0", "madrs: -5.0, mood: 0")
    (told,) = faults(added, effect)
    assert told.startswith(
        "10:3: outcomes.mood.scale: the bounds of 'mood' are not known: give scale: {min, max, step}"
    )
    told = faults(("madrs: {}", "madrs: {}\n  mood: {scale: continuous}"), effect)
    assert any("outcomes.mood.post_sd: no evidence on the spread of 'mood': give post_sd" in line for line in told)
    assert any("give baseline: {mood: {mean: ..., sd: ...}}" in line for line in told)
    assert any("course.control_change.mood: is missing" in line and line.startswith("13:") for line in told)
    assert any("give {pair: [madrs, mood], baseline: ..., later: ...}" in line for line in told)


def test_all_faults_are_told_at_once(faults):
    told = faults(
        ("no_bpd: {share: 0.5", "no_bpd: {share: 0.4"),
        ("ratio: [1, 1]", "ratio: [1, 1, 1]"),
        ("visit: 14", "visit: 15"),
        ("method: mmrm", "method: mmmr"),
        ("{infusion: ketamine}", "{infusion: ketamine, lable: K}"),
        ("replicates: 10", "replicates: ten"),
        ("title: A test", "title: A test\ntitle: again"),
    )
    paths = [line.split(": ")[1] for line in told]
    expected = {
        "title", "population.strata", "arms.ketamine.lable", "allocation.ratio", "estimands.primary.visit",
        "analysis.primary.method", "simulation.replicates",
    }  # fmt: skip
    assert set(paths) == expected


def test_faults_in_numbers_are_told_with_faults_in_words(faults):
    told = faults(("qids_sr16: -2.0", "qids_sr16: -20"), ("{method: mmrm}", "{methd: mmrm}"))
    assert any("outside the scale" in line for line in told)
    assert any("did you mean 'method'?" in line for line in told)


def test_fault_at_a_setting_is_placed_there(faults):
    told = faults(settings={"effects.ketamine.points.madrs": "abc", "sample_size": "[80", "title.x": "1", "a..b": "1"})
    assert told == [
        "--set a..b=1: a..b: a path is keys joined by dots, such as effects.ketamine.specific_share",
        "--set effects.ketamine.points.madrs=abc: effects.ketamine.points.madrs: "
        "a number or a mapping is needed, not the text 'abc'",
        "--set sample_size=[80: not YAML: a [ that opens here is not closed, or a comma is missing in it",
        "--set title.x=1: title.x: 'x' cannot be set inside the text 'A test'; set the whole value instead",
    ]


def test_numbers_with_commas_are_told_by_what_is_wanted(faults):
    settings = {"sample_size": "80,120", "simulation.replicates": "1,000", "dropout.never_starts": "5"}
    told = faults(settings=settings)
    assert [line.partition(": ")[2] for line in told] == [
        "dropout.never_starts: must be at most 1, not 5; for 5 % write 0.05",
        "sample_size: a number or a list is needed, not the text '80,120'; several are written [80, 120]; "
        "decimals take a point: 80.120",
        "simulation.replicates: a whole number is needed, not the text '1,000'; it is written without commas: 1000",
    ]
    (told,) = faults(settings={"simulation.precision": "5"})
    assert told.endswith("simulation.precision: must be at most 0.2, not 5; for 5 % write 0.05")


def test_an_unknown_key_is_told_all_that_there_are_also_those_given(faults):
    (told,) = faults(settings={"effects.ketamine.xyz": "1"})
    assert "specific_share" in told


def test_unknown_path_of_a_setting_names_the_nearest(faults):
    (told,) = faults(settings={"simulation.replicate": "3"})
    assert told.startswith("--set simulation.replicate=3: simulation.replicate: unknown key; did you mean 'replicates'")


def test_faults_shared_by_combinations_are_told_once(faults):
    change = (
        "simulation:",
        "vary: {outcomes.madrs.post_sd: [11, 40], dropout.never_starts: [0, 0.01, 0.02]}\nsimulation:",
    )
    (told,) = faults(change)
    assert told.startswith("23:37: vary.outcomes.madrs.post_sd[1]: the SD of madrs")


def test_null_scenario_without_a_published_course_asks_for_it(faults):
    told = faults(("midazolam: {infusion: midazolam}", "midazolam: {infusion: none}"))
    assert any("course.control_change.qids_sr16: is missing: nothing is published" in line for line in told)


def test_an_estimand_whose_outcome_nobody_knows_is_told_at_the_estimand(tmp_path):
    text = (
        "schema: 1\ntitle: t\npopulation: {strata: {bpd: {share: 1}}}\nschedule: {infusions: [0], visits: [14]}\n"
        "arms: {midazolam: {infusion: midazolam}, ketamine: {infusion: ketamine}}\n"
        "effects: {ketamine: {points: {qids_sr16: -3}}}\n"
        "estimands: {primary: {outcome: qids_sr61x, visit: 14, contrast: [ketamine, midazolam]}}\nsample_size: 100\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}:7:32: estimands.primary.outcome: the catalogue has no instrument 'qids_sr61x'; did you mean "
        "'qids_sr16'? Otherwise list it under outcomes, with its scale"
    )


def test_a_key_of_an_option_is_not_said_to_stand_beside_another(tmp_path, write):
    with pytest.raises(InputError) as caught:
        load(write(), settings={"sample_sizes": 100})
    assert str(caught.value) == "--set sample_sizes=100: sample_sizes: unknown key; did you mean 'sample_size'?"


def test_correlations_that_coarse_scales_cannot_have_together_are_told(faults):
    """Three scores of yes or no: what the latent normals must have in common is more than what the scores have."""
    outcomes = "\n".join(
        f"  {name}: {{scale: {{min: 0, max: 1, step: 1}}, post_sd: 0.5, baseline_correlation: 0.3}}" for name in "abc"
    )
    moments = ", ".join(f"{name}: {{mean: 0.5, sd: 0.5}}" for name in "abc")
    pairs = ", ".join(f"{{pair: [{x}, {y}], baseline: -0.45, later: -0.2}}" for x, y in ("ab", "ac", "bc"))
    (told,) = faults(  # both strata have the same scores
        ("  qids_sr16: {}\n  madrs: {}", outcomes),
        ("defaults.trd_bpd", f"{{{moments}}}"),
        ("defaults.trd_no_bpd", f"{{{moments}}}"),
        ("{qids_sr16: -2.0, madrs: -5.0}", "{a: 0, b: 0, c: 0}"),
        ("outcome: qids_sr16", "outcome: a"),
        settings={
            "course.control_change": {"a": 0, "b": 0, "c": 0},
            "covariance.outcomes": f"[{pairs}]",
            "schedule.visits": [14],
        },
    )
    assert "the correlations cannot all be had on these scales in midazolam, bpd: most to blame is " in told
    assert "at baseline" in told
