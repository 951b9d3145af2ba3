"""The numbers of a resolved scenario are those that the scenario and the evidence say."""

from __future__ import annotations

import numpy as np
import pytest

from trials import BOUNDED, write
from trialsim import evidence, scenario
from trialsim.kernels.correlation import is_positive_definite, joint_correlation, visit_correlation
from trialsim.scenario import Scale

TIMING = np.array([0.45, 0.70, 0.87, 1.0])
POINTS = "{points: {qids_sr16: -2.0, madrs: -5.0}}"
OPEN_LABEL = (POINTS, "{open_label_change: danayan2023, specific_share: 0.34}")


def value(name: str) -> float:
    found = evidence.get(name).value
    assert found is not None
    return found


def test_names_scales_and_baseline(resolved):
    (variant,) = resolved().variants
    assert variant.arms == ("midazolam", "ketamine")
    assert variant.strata == ("bpd", "no_bpd")
    assert variant.outcomes == ("qids_sr16", "madrs")
    assert variant.scales == (Scale(0, 27, 1), Scale(0, 60, 1))
    assert variant.lower_is_better == (True, True)
    np.testing.assert_array_equal(variant.visits_days, [3, 7, 10, 14])
    baseline = evidence.get("defaults.trd_bpd.madrs.baseline")
    assert (variant.baseline_mean[0, 1], variant.baseline_sd[0, 1]) == (baseline.value, baseline.spread)
    assert variant.sample_sizes == (80, 120)
    assert variant.settings == {}


def test_arrays_are_read_only(resolved):
    (variant,) = resolved().variants
    for array in (
        variant.mean,
        variant.sd,
        variant.correlation,
        variant.baseline_mean,
        variant.dropout.arm_hazard_ratio,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_ketamine_keeps_the_open_label_course_and_control_has_the_rest(resolved):
    (variant,) = resolved(OPEN_LABEL).variants
    change = np.array(
        [
            [value("danayan2023.bpd.qids_sr16.change"), value("defaults.open_label.bpd.madrs.change")],
            [value("defaults.open_label.no_bpd.qids_sr16.change"), value("defaults.open_label.no_bpd.madrs.change")],
        ]
    )
    ketamine = variant.baseline_mean[:, None, :] + change[:, None, :] * TIMING[:, None]
    midazolam = variant.baseline_mean[:, None, :] + 0.66 * change[:, None, :] * TIMING[:, None]
    np.testing.assert_allclose(variant.mean[1], ketamine, rtol=0, atol=1e-12)
    np.testing.assert_allclose(variant.mean[0], midazolam, rtol=0, atol=1e-12)
    assert variant.estimands[0].true_value == pytest.approx(0.34 * value("danayan2023.bpd.qids_sr16.change"), abs=1e-12)


def test_a_share_of_zero_is_exactly_null(resolved):
    found = resolved(OPEN_LABEL, settings={"effects.ketamine.specific_share": 0})
    assert found.variants[0].estimands[0].true_value == 0.0


def test_specific_share_defaults_to_evidence_for_the_control(resolved):
    share = value("defaults.specific_share.midazolam")
    (variant,) = resolved((POINTS, "{open_label_change: danayan2023}")).variants
    assert variant.estimands[0].true_value == pytest.approx(
        share * value("danayan2023.bpd.qids_sr16.change"), abs=1e-12
    )


def test_points_are_added_to_the_published_control_course(resolved):
    (variant,) = resolved().variants
    control = value("defaults.midazolam.bpd.qids_sr16.change")
    np.testing.assert_allclose(variant.mean[0, 0, :, 0], variant.baseline_mean[0, 0] + control * TIMING, atol=1e-12)
    np.testing.assert_allclose((variant.mean[1] - variant.mean[0])[:, :, 1], [-5.0 * TIMING] * 2, atol=1e-12)


def test_standardised_effects_are_in_the_sd_named(resolved):
    changes = (POINTS, "{standardised: {qids_sr16: -0.5, madrs: {bpd: -1, no_bpd: 0}}}")
    (variant,) = resolved(changes).variants
    sd = value("defaults.spread.qids_sr16.post_sd")
    np.testing.assert_allclose((variant.mean[1] - variant.mean[0])[:, -1, 0], -0.5 * sd, atol=1e-12)
    madrs = value("defaults.spread.madrs.residual_sd")
    by_residual = {"effects.ketamine.standardised_by": "residual_sd"}
    (variant,) = resolved(changes, settings=by_residual).variants
    np.testing.assert_allclose((variant.mean[1] - variant.mean[0])[:, -1, 1], [-madrs, 0], atol=1e-12)


def test_control_change_and_timing_given(resolved):
    settings = {
        "course.control_change": "{qids_sr16: -1, madrs: {bpd: -2, no_bpd: -3}}",
        "course.timing": "{3: 0.1, 7: 0.2, 10: 0.5, 14: 1}",
    }
    (variant,) = resolved(settings=settings).variants
    change = variant.mean[0] - variant.baseline_mean[:, None]
    np.testing.assert_allclose(change[:, :, 1], np.outer([-2, -3], [0.1, 0.2, 0.5, 1]), atol=1e-12)
    np.testing.assert_allclose(change[:, :, 0], np.outer([-1, -1], [0.1, 0.2, 0.5, 1]), atol=1e-12)


def test_a_shorter_course_reaches_its_part_of_the_published_change(resolved):
    (variant,) = resolved(
        ("[0, 3, 7, 10]", "[0, 3]"), ("visits: [3, 7, 10, 14]", "visits: [3, 7, 14]"), OPEN_LABEL
    ).variants
    change = value("danayan2023.bpd.qids_sr16.change")
    np.testing.assert_allclose(
        variant.mean[1, 0, :, 0] - variant.baseline_mean[0, 0], change * np.array([0.45, 0.7, 0.7]), atol=1e-12
    )


def test_without_infusions_change_is_linear_in_time(resolved):
    (variant,) = resolved(("infusions: [0, 3, 7, 10], ", "")).variants
    difference = variant.mean[1, 0, :, 1] - variant.mean[0, 0, :, 1]
    np.testing.assert_allclose(difference, -5 * np.array([3, 7, 10, 14]) / 14, atol=1e-12)


def test_means_given_outright(resolved):
    means = "{qids_sr16: {midazolam: [18, 17, 16, 15], ketamine: {bpd: [14, 13, 12, 11], no_bpd: [13, 12, 11, 10]}}}"
    (variant,) = resolved(("qids_sr16: -2.0, ", ""), settings={"course.means": means}).variants
    np.testing.assert_array_equal(variant.mean[0, 1, :, 0], [18, 17, 16, 15])
    np.testing.assert_array_equal(variant.mean[1, 1, :, 0], [13, 12, 11, 10])
    assert variant.estimands[0].true_value == pytest.approx(0.5 * (11 - 15) + 0.5 * (10 - 15))


def test_null_scenario_gives_all_arms_the_control_course(resolved):
    (variant,) = resolved((f"effects:\n  ketamine: {POINTS}\n", "")).variants
    np.testing.assert_array_equal(variant.mean[0], variant.mean[1])
    assert variant.estimands[0].true_value == 0.0


def test_two_controls_have_courses_of_their_own(resolved):
    changes = (
        ("  ketamine: {infusion: ketamine}", "  saline: {infusion: saline}\n  ketamine: {infusion: ketamine}"),
        ("[1, 1]", "[1, 1, 1]"),
        ("block_sizes: [4, 6]", "block_sizes: [3]"),
        (POINTS, "{open_label_change: danayan2023}"),
    )
    (variant,) = resolved(*changes).variants
    change = variant.mean[:, 0, -1, 0] - variant.baseline_mean[0, 0]
    full = value("danayan2023.bpd.qids_sr16.change")
    kept = [1 - value("defaults.specific_share.midazolam"), 1 - value("defaults.specific_share.saline"), 1.0]
    np.testing.assert_allclose(change, full * np.array(kept), atol=1e-12)


def test_points_need_a_control_when_controls_differ(faults):
    told = faults(
        ("  ketamine: {infusion: ketamine}", "  saline: {infusion: saline}\n  ketamine: {infusion: ketamine}"),
        ("[1, 1]", "[1, 1, 1]"),
        ("block_sizes: [4, 6]", "block_sizes: [3]"),
    )
    assert any("effects.ketamine.versus: is missing: the controls differ" in line for line in told)


def test_spread_and_tie_to_baseline(resolved):
    (variant,) = resolved().variants
    post, residual = (value(f"defaults.spread.madrs.{key}") for key in ("post_sd", "residual_sd"))
    np.testing.assert_array_equal(variant.sd[:, :, 1], post)
    # Score 1 is MADRS at baseline, score 3 MADRS at the first visit.
    np.testing.assert_allclose(variant.correlation[:, 1, 3], np.sqrt(1 - (residual / post) ** 2), atol=1e-12)


def test_a_given_post_sd_keeps_the_correlation_with_baseline(resolved):
    usual, wide = (resolved(("madrs: {}", madrs)).variants[0] for madrs in ("madrs: {}", "madrs: {post_sd: 9}"))
    np.testing.assert_allclose(wide.correlation, usual.correlation, atol=1e-12)
    assert wide.sd[0, 0, 1] == 9


def test_spread_by_stratum(resolved):
    change = ("madrs: {}", "madrs: {post_sd: {bpd: 10, no_bpd: 8}, baseline_correlation: {bpd: 0.3, no_bpd: 0.5}}")
    (variant,) = resolved(change).variants
    np.testing.assert_array_equal(variant.sd[:, 2, 1], [10, 8])
    np.testing.assert_allclose(variant.correlation[:, 1, 3], [0.3, 0.5], atol=1e-12)


def test_correlation_is_the_joint_one_of_the_kernels(resolved):
    settings = {
        "covariance.outcomes": "[{pair: [madrs, qids_sr16], baseline: 0.3, later: 0.6}]",
        "covariance.visits": "{structure: ar1, rho: 0.7}",
        "outcomes.madrs.baseline_correlation": 0.3,
        "outcomes.qids_sr16.baseline_correlation": 0.4,
    }
    (variant,) = resolved(settings=settings).variants
    baseline, later = np.array([[1, 0.3], [0.3, 1]]), np.array([[1, 0.6], [0.6, 1]])
    visits = visit_correlation(variant.visits_days, structure="ar1", rho=0.7)
    expected = joint_correlation(baseline, later, visits, np.array([0.4, 0.3]))
    np.testing.assert_allclose(variant.correlation, [expected, expected], atol=1e-12)


@pytest.mark.parametrize(
    "visits",
    [
        "{structure: compound_symmetry, rho: 0.5}",
        "{structure: toeplitz, rho: [0.8, 0.7, 0.6]}",
        "{structure: decay, anchors: {7: 0.7}}",
        "{structure: unstructured, matrix: [[1, .5, .5, .5], [.5, 1, .5, .5], [.5, .5, 1, .5], [.5, .5, .5, 1]]}",
    ],
)
def test_every_structure_resolves(resolved, visits):
    (variant,) = resolved(settings={"covariance.visits": visits}).variants
    assert is_positive_definite(variant.correlation).all()


def test_repair_takes_the_nearest_matrix_and_says_so(resolved):
    settings = {
        "outcomes.bsl23": "{}",
        "effects.ketamine.points.bsl23": 0,
        "covariance.outcomes": "[{pair: [qids_sr16, madrs], baseline: 0.9}, {pair: [madrs, bsl23], baseline: 0}]",
        "covariance.repair": "nearest",
        "outcomes.madrs.scale": "continuous",
        "outcomes.qids_sr16.scale": "continuous",
        "outcomes.bsl23.scale": "continuous",
    }
    found = resolved(settings=settings)
    assert is_positive_definite(found.variants[0].correlation).all()
    (row,) = (row for row in found.provenance if row.path == "covariance.repair")
    assert "largest change 0." in row.note


def test_allocation_dropout_and_analysis_defaults(resolved):
    changes = (
        ("allocation: {ratio: [1, 1], block_sizes: [4, 6]}\n", ""),
        ("analysis:\n  primary: {method: mmrm}\n", ""),
    )
    (variant,) = resolved(*changes).variants
    assert variant.allocation == scenario.Allocation((1, 1), "permuted_blocks", (4, 6), stratified=True)
    assert variant.estimands[0].analyses == (
        scenario.Analysis("mmrm", "unstructured", "satterthwaite", ("baseline", "stratum"), 0.05, "default", "mmrm"),
    )
    dropout = variant.dropout
    assert dropout is not None
    assert (dropout.days, dropout.missing, dropout.never_starts, dropout.outcome) == ((14.0,), (0.07,), 0.03, 0)
    assert dropout.score_hazard_ratio_per_sd == value("defaults.dropout.score_hazard_ratio_per_sd")
    np.testing.assert_array_equal(dropout.stratum_hazard_ratio, [value("defaults.dropout.bpd_hazard_ratio"), 1])


def test_mcar_has_no_hazard_ratios(resolved):
    dropout = resolved(("model: mar", "model: mcar")).variants[0].dropout
    assert dropout.score_hazard_ratio_per_sd == 1.0
    np.testing.assert_array_equal(dropout.stratum_hazard_ratio, 1.0)


def test_missing_shares_default_to_evidence_up_to_the_last_visit(resolved):
    dropout = resolved(("missing_by: {14: 0.07}, ", "")).variants[0].dropout
    assert (dropout.days, dropout.missing) == ((14.0,), (value("defaults.dropout.missing_by_day_14"),))


def test_no_dropout_and_several_analyses(resolved):
    (variant,) = resolved(
        ("dropout: {model: mar, missing_by: {14: 0.07}, never_starts: 0.03}\n", ""),
        ("{method: mmrm}", "[{method: mmrm}, {method: ancova, covariates: [baseline]}]"),
    ).variants
    assert variant.dropout is None
    assert variant.estimands[0].analyses[1] == scenario.Analysis(
        "ancova", "none", "residual", ("baseline",), 0.05, "none", "ancova"
    )


def test_vary_crosses_paths_the_last_fastest(resolved):
    vary = "vary: {effects.ketamine.points.madrs: [-5, 0], dropout.never_starts: [0, 0.02]}\nsimulation:"
    variants = resolved(("simulation:", vary)).variants
    assert [variant.index for variant in variants] == [0, 1, 2, 3]
    settings = [tuple(variant.settings.values()) for variant in variants]
    assert settings == [(-5, 0), (-5, 0.02), (0, 0), (0, 0.02)]
    np.testing.assert_array_equal(variants[2].mean[0, :, :, 1], variants[2].mean[1, :, :, 1])
    assert variants[3].dropout.never_starts == 0.02


def test_base_values_stand_alone(write):
    loaded = scenario.load(write(("simulation:", "vary: {effects.ketamine.points.madrs: [-9, 0]}\nsimulation:")))
    (variant,) = scenario.resolve(loaded.at_base()).variants
    assert variant.settings == {}
    assert variant.mean[1, 0, -1, 1] - variant.mean[0, 0, -1, 1] == pytest.approx(-5)


def test_every_number_has_a_source(resolved):
    rows = {row.path: row for row in resolved(OPEN_LABEL).provenance}
    assert rows["effects.ketamine.specific_share"].source == "given"
    change = rows["effects.ketamine.open_label_change.qids_sr16.bpd"]
    assert (change.source, change.tag, change.citation) == ("evidence", "measured", "danayan2023")
    fallback = rows["effects.ketamine.open_label_change.madrs.bpd"]
    assert fallback.note.startswith("defaults.open_label.bpd.madrs.change. danayan2023 does not give it")
    assert rows["population.strata_by"].source == "default"
    assert rows["outcomes.madrs.post_sd"].source == "evidence"
    assert rows["simulation.seed"].value == 7


def test_new_scale_with_its_own_numbers(resolved):
    settings = {
        "outcomes.mood": "{label: Mood, scale: {min: 0, max: 10, step: 0.5}, post_sd: 2, baseline_correlation: 0.5, "
        "lower_is_better: false}",
        "population.strata": "{all: {baseline: {mood: {mean: 4, sd: 1.5}, qids_sr16: {mean: 18, sd: 4}, "
        "madrs: {mean: 30, sd: 6}}}}",
        "effects.ketamine.points": "{mood: 1, qids_sr16: 0, madrs: 0}",
        "course.control_change": "{mood: 1, qids_sr16: -2, madrs: -4}",
        "covariance.outcomes": "[{pair: [mood, madrs], baseline: -0.4, later: -0.5}, "
        "{pair: [mood, qids_sr16], baseline: -0.4, later: -0.5}]",
    }
    (variant,) = resolved(settings=settings).variants
    assert variant.outcome_labels[2] == "Mood"
    assert variant.scales[2] == Scale(0, 10, 0.5)
    assert variant.lower_is_better[2] is False
    np.testing.assert_allclose(variant.mean[:, 0, -1, 2], [5, 6])
    assert variant.estimands[0].analyses[0].covariates == ("baseline",)
    assert not variant.allocation.stratified


def test_what_is_not_written_inside_a_question_or_an_arm_is_told_as_a_default(tmp_path):
    file = write(tmp_path, BOUNDED, {"estimands.primary.analysis_set": "itt"})
    rows = {row.path: row for row in scenario.resolve(scenario.load(file)).provenance}
    primary = rows["estimands.primary"]
    assert (primary.source, primary.value["analysis_set"]) == ("given", "itt")
    assert "intercurrent_events" not in primary.value
    strategy = rows["estimands.primary.intercurrent_events"]
    assert (strategy.source, strategy.value) == ("default", {"dropout": "hypothetical"})
    assert rows["arms.ketamine"].value == {"infusion": "ketamine"}
