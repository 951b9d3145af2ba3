"""Differences between people and missed visits as they are written, resolved, and refused."""

import numpy as np
import pytest

from trialsim import evidence

END = "simulation:"
TOO_STEADY = "lability: {bpd: 0.05}\ncovariance: {visits: {structure: ar1, rho: 0.3}}"
THERAPY = (
    ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
    (
        "  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}",
        "  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}\n"
        "therapies: {dbt: {weeks: 2, onset_weeks: 0, attendance: {mean: 0.8, sd: 0.2}}}",
    ),
)


def also(text):
    return (END, f"{text}\n{END}")


def row(found, path):
    return next(row for row in found.provenance if row.path == path)


def test_nothing_is_varied_unless_it_is_asked_for(resolved):
    variant = resolved().variants[0]
    assert (variant.intermittent, variant.heterogeneity, variant.raters) == (None, None, None)
    assert all(therapy.attendance is None for therapy in variant.therapies)


def test_leaving_by_unseen_scores_is_labelled(resolved):
    found = resolved(("model: mar", "model: mnar"))
    dropout = found.variants[0].dropout
    assert dropout.model == "mnar"
    assert dropout.score_hazard_ratio_per_sd == evidence.get("defaults.dropout.score_hazard_ratio_per_sd").value
    assert dropout.stratum_hazard_ratio[0] == evidence.get("defaults.dropout.bpd_hazard_ratio").value
    assert "MNAR" in row(found, "dropout.model").note
    assert "MNAR" not in row(resolved(), "dropout.model").note


def test_missed_visits(resolved):
    one = resolved(also("missing: {intermittent: {share: 0.04}}"))
    np.testing.assert_array_equal(one.variants[0].intermittent.share, 0.04)
    assert one.variants[0].intermittent.score_hazard_ratio_per_sd == 1.0
    by_day = resolved(also("missing: {intermittent: {share: {7: 0.1, 14: 0.02}, model: mnar, outcome: madrs}}"))
    given = by_day.variants[0].intermittent
    np.testing.assert_array_equal(given.share, [0.0, 0.1, 0.0, 0.02])
    assert given.outcome == 1
    assert given.score_hazard_ratio_per_sd == evidence.get("defaults.dropout.score_hazard_ratio_per_sd").value
    assert "MNAR" in row(by_day, "missing.intermittent.model").note
    assert row(by_day, "missing.intermittent.score_hazard_ratio_per_sd").source == "evidence"


def test_heterogeneity_takes_the_course_of_the_effect(resolved):
    given = resolved(also("heterogeneity: {effect_sd: {madrs: 4}}")).variants[0].heterogeneity
    np.testing.assert_array_equal(given.effect_sd, [0.0, 4.0])
    assert given.correlation == 1.0
    np.testing.assert_array_equal(given.course[0], 0.0)
    plain = resolved().variants[0].mean
    effect = plain[1] - plain[0]
    np.testing.assert_allclose(given.course[1], effect / effect[:, [-1]], atol=1e-12)


def test_effects_of_sites_in_sds_or_points(resolved):
    sites = "clusters: {site: {number: 4, icc: 0.02, effect_sd: %s}}"
    in_sds = resolved(also(sites % "0.5")).variants[0]
    np.testing.assert_allclose(in_sds.heterogeneity.groups[0].effect_sd, 0.5 * in_sds.sd[0, -1])
    assert not in_sds.heterogeneity.effect_sd.any()
    points = resolved(also(sites % "{madrs: 1.5}")).variants[0].heterogeneity.groups[0]
    np.testing.assert_array_equal(points.effect_sd, [0.0, 1.5])
    assert (points.name, points.number) == ("site", 4)


def test_attendance_takes_its_dropout_from_the_catalogue_or_from_an_event(resolved):
    found = resolved(*THERAPY)
    given = found.variants[0].therapies[0].attendance
    stops = evidence.get("defaults.dbt.treatment_dropout").value
    assert given.concentration == pytest.approx(0.8 * 0.2 / 0.04 - 1)
    assert given.session_days == (0.0, 7.0)
    assert 1 - np.exp(-14 * given.stop_hazard_per_day) == pytest.approx(stops)
    by_event = resolved(*THERAPY, also("events: {leave_therapy: {}}"))
    assert by_event.variants[0].therapies[0].attendance.stop_hazard_per_day == 0.0
    assert "leave_therapy" in row(by_event, "therapies.dbt.attendance.stops_by_end").note


def test_raters_of_madrs_have_a_published_agreement(resolved):
    found = resolved(also("raters: {number: 6, central: true}"))
    raters, icc = found.variants[0].raters, evidence.get("defaults.rater_icc.madrs").value
    sd = found.variants[0].sd[0, -1, 1]
    np.testing.assert_allclose(raters.severity_sd, [0.0, sd * np.sqrt((1 - icc) / icc)])
    assert (raters.number, raters.central) == (6, True)
    assert row(found, "raters.icc.madrs").source == "evidence"


def test_lability_lowers_what_visits_have_in_common_in_its_stratum(resolved):
    plain, found = resolved().variants[0].correlation, resolved(also("lability: {bpd: 2}")).variants[0].correlation
    np.testing.assert_array_equal(found[1], plain[1])
    assert found[0, 2, 4] < plain[0, 2, 4]
    np.testing.assert_allclose(found[0, :2], plain[0, :2], rtol=1e-12)
    np.testing.assert_array_equal(resolved(also("lability: {bpd: 1}")).variants[0].correlation, plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([also("missing: {intermittent: {share: {5: 0.1}}}")],
         "23:34: missing.intermittent.share.5: there is no visit on day 5; visits are on days 3, 7, 10 and 14"),
        ([also("missing: {intermittent: {share: 0.1, score_hazard_ratio_per_sd: 2}}")],
         "23:38: missing.intermittent.score_hazard_ratio_per_sd: goes with mar and mnar; with mcar scores"),
        ([also("missing: {intermittent: {share: 1.0}}")],
         "23:33: missing.intermittent.share: "),
        ([also("missing: {intermittent: {share: 0.1, model: mar, outcome: gad7}}")],
         "23:59: missing.intermittent.outcome: there is no outcome 'gad7'"),
        ([("model: mar,", "model: mcar, score_hazard_ratio_per_sd: 2,")],
         "17:24: dropout.score_hazard_ratio_per_sd: goes with mar and mnar"),
        ([also("heterogeneity: {effect_sd: {bdi: 2}}")],
         "23:29: heterogeneity.effect_sd.bdi: there is no outcome 'bdi'"),
        ([also("heterogeneity: {effect_sd: {madrs: 2}, arms: [saline]}")],
         "23:47: heterogeneity.arms.0: there is no arm 'saline'"),
        ([also("heterogeneity: {effect_sd: {madrs: 2}}"),
          ("effects:\n  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}", "effects: {}")],
         "heterogeneity.arms: is missing: no arm has an effect of its own; name those with the drug"),
        ([also("clusters: {group: {size: 8, icc: 0.05, effect_sd: 0.1}}")],
         "23:40: clusters.group.effect_sd: goes with number: groups within an arm have no effect of their own"),
        ([THERAPY[0], (THERAPY[1][0], THERAPY[1][1].replace(", sd: 0.2", ""))],
         "therapies.dbt.attendance: give either sd (between people) or concentration"),
        ([THERAPY[0], (THERAPY[1][0], THERAPY[1][1].replace("sd: 0.2", "sd: 0.4"))],
         "therapies.dbt.attendance.sd: a share with a mean of 0.8 has an SD below 0.4"),
        ([also("lability: {bdp: 2}")], "23:12: lability.bdp: there is no stratum 'bdp'; did you mean 'bpd'?"),
        ([also(TOO_STEADY)], "23:17: lability.bpd: with 0.05 the correlations cannot all hold"),
        ([also("raters: {number: 6}"), ("  madrs: {}\n", ""), (", madrs: -5.0", "")],
         "raters.icc: is missing: nothing is published on raters of these outcomes"),
        ([also("heterogeneity: {effect_sd: {madrs: 100}}")],
         "heterogeneity.effect_sd.madrs: 100 points cannot be: the scale, from 0 to 60, is 60 wide"),
        ([also("clusters: {site: {number: 4, icc: 0.02, effect_sd: {madrs: 100}}}")],
         "clusters.site.effect_sd.madrs: 100 points cannot be"),
        ([also("raters: {number: 6, icc: {madrs: 1.0e-6}}")],
         "raters.icc.madrs: agreement of 1e-06 makes raters differ by too much: an SD of 11,"),
        ([also("missing: {intermittent: {share: 0.1, model: mar, score_hazard_ratio_per_sd: 1.0e-300}}")],
         "missing.intermittent.score_hazard_ratio_per_sd: must be at least 0.001, not 1e-300"),
        ([("model: mar,", "model: mar, score_hazard_ratio_per_sd: 1.0e-300,")],
         "17:50: dropout.score_hazard_ratio_per_sd: must be at least 0.001, not 1e-300"),
        ([("model: mar,", "model: mar, arm_hazard_ratio: {ketamine: 1.0e+9},")],
         "17:52: dropout.arm_hazard_ratio.ketamine: must be at most 1000, not 1000000000.0"),
        ([also("raters: {number: 6, icc: {qids_sr16: 0.9}}")],
         "raters.icc.qids_sr16: QIDS-SR16 is filled in by patients themselves: no rater has a part in it"),
        ([also("raters: {number: 6, icc: {mardrs: 0.9}}")],
         "23:27: raters.icc.mardrs: there is no outcome 'mardrs'; did you mean 'madrs'?"),
    ],
)  # fmt: skip
def test_what_cannot_be(faults, changes, message):
    assert any(message in fault for fault in faults(*changes)), faults(*changes)


def test_a_repair_takes_lability_that_is_too_small(resolved):
    variant = resolved(also(TOO_STEADY.replace("{visits", "{repair: nearest, visits"))).variants[0]
    assert np.linalg.eigvalsh(variant.correlation).min() > 0


def test_all_can_be_varied(resolved):
    found = resolved(
        also("heterogeneity: {effect_sd: {madrs: 2}}"),
        also("vary: {heterogeneity.effect_sd.madrs: [0, 3], dropout.model: [mar, mnar]}"),
    )
    assert [v.heterogeneity.effect_sd[1] for v in found.variants] == [0.0, 0.0, 3.0, 3.0]
    assert [v.dropout.model for v in found.variants] == ["mar", "mnar", "mar", "mnar"]
    assert len({found.hash, resolved().hash}) == 2


@pytest.mark.parametrize("change", ["heterogeneity: {effect_sd: {qids_sr16: 2}}", "raters: {number: 6}"])
def test_true_values_on_a_bounded_scale_are_found_from_potential_outcomes(resolved, change):
    assert resolved().variants[0].estimands[0].true_value == -2.0
    assert resolved(also(change)).variants[0].estimands[0].true_value is None
    real = ("  qids_sr16: {}", "  qids_sr16: {scale: continuous}")
    assert resolved(also(change), real).variants[0].estimands[0].true_value == -2.0


def test_heterogeneity_of_one_outcome_leaves_the_truth_of_another(resolved):
    assert resolved(also("heterogeneity: {effect_sd: {madrs: 2}}")).variants[0].estimands[0].true_value == -2.0
