"""Tornado, heat map, attribution, tipping point and worst case: what is asked, what is refused, what adds up."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from matplotlib.text import Text

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import compute_block
from trialsim.errors import InputError, ScenarioWarning
from trialsim.planning.sensitivity.attribution import attribution
from trialsim.planning.sensitivity.heat import heat_map
from trialsim.planning.sensitivity.shapley import shapley_weights
from trialsim.planning.sensitivity.tipping import design_tipping_point
from trialsim.planning.sensitivity.tornado import tornado
from trialsim.planning.sensitivity.trials import Budget, Measured, Sample
from trialsim.planning.sensitivity.worst import worst_type_i_error
from trialsim.report.figures.sensitivity_heatmap import draw_sensitivity_heatmap, sensitivity_heatmap_data
from trialsim.report.figures.tornado import draw_tornado, tornado_data
from trialsim.report.sensitivity import sensitivity_text

QUICK = Budget(250)
ONE_VISIT = {
    "schedule": {"visits": [14]},
    "course": {"control_change": {"score": -5.0}},
    "covariance": None,
    "effects": {"active": {"points": {"score": -2.5}}},
    "analysis": {"primary": {"method": "t_test"}},
    "sample_size": 100,
}


def scenario(changes=None, document=CONTINUOUS):
    base = (
        ONE_VISIT if document is CONTINUOUS else {"outcomes": {"qids_sr16": {}, "madrs": {}}, "schedule.visits": [14]}
    )
    return resolve(document, {**base, **(changes or {})}).scenario


def shapley(i, m, value):
    return math.fsum(weight * value(coalition) for coalition, weight in shapley_weights(i, m).items())


def test_shapley_values_of_games_worked_out_by_hand():
    parts = (0.2, -0.1, 0.05, 0.4)
    for i, part in enumerate(parts):  # additive: each has what it brings
        assert shapley(i, 4, lambda s: sum(parts[j] for j in s)) == pytest.approx(part, abs=1e-15)
    # Two that act only together share what they do; the third does nothing.
    both = [shapley(i, 3, lambda s: float({0, 1} <= s)) for i in range(3)]
    assert both == pytest.approx([0.5, 0.5, 0.0], abs=1e-15)
    # One left glove and two right ones: the left one has two thirds.
    gloves = [shapley(i, 3, lambda s: float(0 in s and len(s) > 1)) for i in range(3)]
    assert gloves == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-15)


def test_shapley_weights_are_those_of_all_orders():
    value = {s: float(v) for s, v in zip(shapley_weights(0, 4), np.random.default_rng(5).normal(size=16), strict=True)}
    for i in range(4):
        added = [
            value[frozenset(o[: o.index(i) + 1])] - value[frozenset(o[: o.index(i)])]
            for o in itertools.permutations(range(4))
        ]
        assert shapley(i, 4, value.get) == pytest.approx(np.mean(added), abs=1e-12)


OTHER = {
    "effects": {"active": {"points": {"score": -1.5}}},
    "outcomes.score.post_sd": 4.0,
    "sample_size": 140,
    "dropout": {"missing_by": {14: 0.2}},
}


def test_contributions_add_up_to_the_difference():
    first, second = scenario(), scenario(OTHER)
    exact = attribution(first, second, budget=QUICK)
    assert exact.exact
    assert exact.settings == 2**4
    assert {one.name for one in exact.contributions} == {
        "effects.active.points.score", "outcomes.score.post_sd", "sample_size", "dropout.missing_by.14",
    }  # fmt: skip
    assert math.fsum(one.contribution for one in exact.contributions) == pytest.approx(exact.difference, abs=1e-12)
    assert (exact.n_first, exact.n_second) == (100, 140)
    by_name = {one.name: one for one in exact.contributions}
    assert by_name["effects.active.points.score"].contribution < 0 < by_name["outcomes.score.post_sd"].contribution
    sampled = attribution(first, second, budget=QUICK, exact_up_to=2, permutations=16)
    assert not sampled.exact
    assert math.fsum(one.contribution for one in sampled.contributions) == pytest.approx(exact.difference, abs=1e-12)
    for one in sampled.contributions:
        assert abs(one.contribution - by_name[one.name].contribution) < 4.9 * one.mcse


def test_paths_can_be_one_assumption():
    found = attribution(scenario(), scenario(OTHER), budget=QUICK, together=[["effects", "outcomes"]])
    assert len(found.contributions) == 3
    assert any(
        set(one.paths) == {"effects.active.points.score", "outcomes.score.post_sd"} for one in found.contributions
    )
    with pytest.raises(InputError, match="do not differ at schedule"):
        attribution(scenario(), scenario(OTHER), budget=QUICK, together=[["schedule"]])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "differ in nothing"),
        ({"title": "Another", "simulation.seed": 3}, "differ in nothing"),
        ({"estimands.primary.contrast": ["control", "active"], "effects": None}, "share no estimand"),
    ],
)
def test_scenarios_without_a_difference_to_attribute(changes, told):
    with pytest.raises(InputError, match=told):
        attribution(scenario(), scenario(changes), budget=QUICK)


STRATA = {
    "population.strata": {
        name: {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}} for name in ("bpd", "no_bpd")
    }
}
VISITS = {"schedule": {"visits": [7, 14]}, "analysis": {"primary": {"method": "mmrm"}}}
LEFT = {"dropout": {"missing_by": {14: 0.2}}}
RESPONSE = {"estimands.primary.endpoint": {"reduction": 0.5}, "analysis": {"primary": {"method": "risk_difference"}}}


@pytest.mark.parametrize(
    ("both", "changes", "told"),
    [
        (STRATA, {"estimands.primary.interaction": ["bpd", "no_bpd"]},
         "contrast (active - control in the first, active - control, bpd - no_bpd in the second)"),
        (VISITS, {"estimands.primary.visit": 7}, "day (day 14 in the first, day 7 in the second)"),
        ({}, {"estimands.primary.analysis_set": "per_protocol"}, "analysis set (itt in the first, per_protocol in"),
        (LEFT, {"estimands.primary.intercurrent_events": {"dropout": "composite"}}, "for leaving (hypothetical"),
        (RESPONSE, {"estimands.primary.endpoint": {"reduction": 0.3}},
         "criterion (improvement by at least 50 % in the first, improvement by at least 30 % in the second)"),
        ({"estimands.primary.non_inferiority_margin": 1.0}, {"estimands.primary.non_inferiority_margin": 2.0},
         "test (non-inferiority with a margin of 1 in the first, non-inferiority with a margin of 2 in the second)"),
    ],
)  # fmt: skip
def test_what_makes_another_question_is_told(both, changes, told):
    with pytest.raises(InputError) as refused:
        attribution(scenario(both), scenario({**both, **changes}), budget=QUICK)
    assert told in str(refused.value)
    assert "due to no assumption" in str(refused.value)


def test_a_named_endpoint_is_the_question_of_its_numbers():
    asked = {"outcomes": {"qids_sr16": {}}, "analysis": {"primary": {"method": "risk_difference"}}, "sample_size": 60}
    first, second = (
        scenario({**asked, "estimands.primary.endpoint": endpoint, "dropout.missing_by": {14: share}}, BOUNDED)
        for endpoint, share in (("response", 0.1), ({"reduction": 0.5}, 0.2))
    )
    found = attribution(first, second, budget=QUICK)
    assert {"dropout.missing_by.14"} <= {one.name for one in found.contributions}


def test_mixed_scenarios_that_cannot_be_are_told_with_the_way_out():
    other = scenario({"dropout": {"missing_by": {14: 0.3}, "never_starts": 0.2}})
    with pytest.raises(InputError, match=r"never_starts.*--together"):
        attribution(scenario({"dropout": {"missing_by": {14: 0.1}, "never_starts": 0.05}}), other, budget=QUICK)


def test_an_end_that_the_scale_cannot_have_is_told_and_no_error():
    found = tornado(scenario(document=BOUNDED), budget=QUICK, n=40, ranges={"outcomes.qids_sr16.post_sd": (5.0, 40.0)})
    (bar,) = (bar for bar in found.bars if bar.path == "outcomes.qids_sr16.post_sd")
    assert bar.high.measure is None
    assert "qids_sr16" in bar.high.problem
    assert bar.low.measure is not None
    assert bar.source == "given"


def test_the_evidence_gives_the_other_ranges_with_their_sources():
    found = tornado(scenario(document=BOUNDED), budget=QUICK, n=40)
    bars = {bar.path: bar for bar in found.bars}
    share = bars["effects.ketamine.specific_share"]
    assert (share.low.value, share.base, share.high.value) == (0.0, 0.34, 0.66)
    assert (share.tag, share.citation) == ("derived", "alnefeesi2022")
    assert not any("madrs" in path or "bsl23" in path for path in bars), "the question does not hang on them"
    assert bars["dropout.missing_by.14"].high.value == 0.2


def test_a_tornado_says_when_its_power_is_none():
    null = tornado(scenario({"effects": {"active": {"points": {"score": 0.0}}}}), budget=QUICK)
    assert "so there is nothing to find: the number is the type I error" in null.notes[0]
    with pytest.warns(ScenarioWarning, match=r"an effect of \+1 is for the worse"):
        harmful = scenario({"effects": {"active": {"points": {"score": 1.0}}}})
    harm = tornado(harmful, budget=QUICK)
    assert "is a harm, and no power counts against it: the share of trials that claim it is no power" in harm.notes[0]
    assert not tornado(scenario(), budget=QUICK, ranges={"effects.active.points.score": (-3.5, -1.0)}).notes


def rejections(changes):
    """Return the share of trials that reject either way, as a run's table tells of a null."""
    resolved = resolve(CONTINUOUS, {**ONE_VISIT, **changes})
    (cell,) = compute_block(resolved.variants[0], resolved.hash, resolved.seed, 0)
    return float((cell.estimates.p <= 0.05).mean())


def words_in(figure):
    """Return all that a figure says, in one line."""
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def test_where_there_is_nothing_to_find_rejections_count_either_way():
    effect, spread = "effects.active.points.score", "outcomes.score.post_sd"
    ranges = {effect: (-3.0, 0.0), spread: (4.0, 6.0)}
    grid = heat_map(scenario(), effect, spread, budget=QUICK, ranges=ranges, steps=2)
    assert [cell.null for cell in grid.cells] == [False, False, True, True]
    null = {"effects": {"active": {"points": {"score": 0.0}}}}
    assert [cell.share for cell in grid.cells[2:]] == [rejections({**null, spread: sd}) for sd in (4.0, 6.0)]
    words = sensitivity_text(grid.to_dict())
    assert "in 1 of 2 cells" in words, "a type I error is no power"
    assert f"{100 * grid.cells[2].share:.1f} ± {100 * grid.cells[2].mcse:.1f}†" in words
    frame = sensitivity_heatmap_data(grid.to_dict())
    assert frame["null"].tolist() == [False, False, True, True]
    assert "Hatched: no true difference, so the number is the type I error." in words_in(
        draw_sensitivity_heatmap(frame)
    )
    line = tornado(scenario(), budget=QUICK, ranges={effect: (-3.0, 0.0)})
    assert (line.base_null, line.bars[0].low.null, line.bars[0].high.null) == (False, False, True)
    assert line.bars[0].high.measure == rejections(null)
    assert "† Nothing is to be found there" in sensitivity_text(line.to_dict())
    assert "† Nothing is to be found there" in words_in(draw_tornado(tornado_data(line.to_dict())))
    own = tornado(scenario(null), budget=QUICK, ranges={spread: (4.0, 6.0)})
    assert own.base_null
    assert own.base == rejections(null)


def test_a_null_that_the_model_does_not_give_exactly_is_known_too():
    asked = {
        "estimands.primary.endpoint": {"reduction": 0.5},
        "analysis": {"primary": {"method": "risk_difference"}},
    }
    found = tornado(scenario(asked), budget=QUICK, ranges={"effects.active.points.score": (-3.0, 0.0)})
    assert (found.bars[0].low.null, found.bars[0].high.null) == (False, True)


def test_a_range_without_the_own_value_is_told():
    found = tornado(scenario(), budget=QUICK, ranges={"outcomes.score.post_sd": (4.0, 4.5)})
    told = " ".join(sensitivity_text(found.to_dict()).split())
    assert "The scenario's own value lies outside the range of: outcomes.score.post_sd." in told


def test_a_tornado_says_when_the_effect_is_not_among_its_ranges():
    without = tornado(scenario(), budget=QUICK, ranges={"outcomes.score.post_sd": (4.0, 6.0)})
    assert without.notes[-1].startswith("What the treatment does has no plausible range here")


def test_a_heat_map_meets_the_tornado_at_its_ends():
    ranges = {"effects.active.points.score": (-3.5, -1.0), "outcomes.score.post_sd": (4.0, 6.0)}
    grid = heat_map(scenario(), *ranges, budget=QUICK, ranges=ranges, steps=3)
    assert [(cell.row, cell.column) for cell in grid.cells[:4]] == [(-3.5, 4.0), (-3.5, 5.0), (-3.5, 6.0), (-2.25, 4.0)]
    line = tornado(scenario(), budget=QUICK, ranges={"effects.active.points.score": (-3.5, -1.0)})
    assert grid.cells[1].share == line.bars[0].low.measure, "the scenario's own SD is the middle of its range"
    with pytest.raises(InputError, match="has no range"):
        heat_map(scenario(), "effects.active.points.score", "outcomes.score.post_sd", budget=QUICK)


@pytest.mark.parametrize(
    ("path", "ends", "told"),
    [
        ("effects.active.points.score", (1.0, -1.0), "above high"),
        ("effects.active.points.score", (1.0, 1.0), "both 1"),
        ("effects.active.points.score", ("a", 1.0), "from a number to a number"),
        ("effects.active.pionts.score", (-1.0, 1.0), "did you mean 'points'"),
        ("effects.active.points.scroe", (-1.0, 1.0), "score"),
        ("outcomes.score.label", (-1.0, 1.0), "no number in the scenario"),
        ("outcomes.score.baseline_correlation", (-0.2, 1.5), "below 1"),
        ("simulation.seed", (1, 2), "no assumption"),
        ("a..b", (1, 2), "keys joined by dots"),
        ("outcomes.score.post_sd", (1.0,), "two values"),
        ("population.strata.all.share", (0.5, 1.0), "another stratum"),
    ],
)
def test_ranges_that_cannot_be(path, ends, told):
    with pytest.raises(InputError, match=told):
        tornado(scenario(), budget=QUICK, ranges={path: ends})


def test_questions_that_have_no_answer_are_refused():
    with pytest.raises(InputError, match="nobody leaves"):
        design_tipping_point(scenario(), budget=QUICK)
    with pytest.raises(InputError, match="none called 'other'"):
        tornado(scenario(), budget=QUICK, estimand="other")
    with pytest.raises(InputError, match="nothing but effects"):
        worst_type_i_error(scenario(), budget=QUICK, ranges={"effects.active.points.score": (-3.0, -1.0)})
    means = {"course": CONTINUOUS["course"], "schedule": CONTINUOUS["schedule"], "effects": None}
    different = {**means, "course.means.score.active": [18.0, 16.0, 12.0]}
    with pytest.raises(InputError, match="every effect is set to 0"):
        worst_type_i_error(scenario(different), budget=QUICK, ranges={"outcomes.score.post_sd": (4.0, 6.0)})
    with pytest.raises(InputError, match="between 100"):
        Budget(10)


def test_workers_change_nothing():
    first, second = (
        tornado(scenario(), budget=Budget(500, workers), ranges={"outcomes.score.post_sd": (4.0, 6.0)})
        for workers in (1, 2)
    )
    assert first.to_dict() == second.to_dict()


def test_failed_fits_leave_the_share_and_have_no_influence():
    found = np.array([True, False, True, False])
    usable = np.array([True, True, False, True])
    share = Sample(found & usable, usable, np.array([1.0, 2.0, np.nan, 3.0]), 0.0).share
    assert share.value == pytest.approx(1 / 3)
    assert share.influence[2] == 0.0
    assert share.influence.sum() == pytest.approx(0.0)


def test_the_paired_error_of_a_difference_by_hand():
    """Of 8 trials the first setting finds 5 and the second 4, one and two alone: McNemar's variance, R over R - 1."""
    first, second = np.array([1, 1, 1, 1, 1, 0, 0, 0.0]), np.array([1, 1, 1, 0, 0, 1, 0, 0.0])
    one, other = (Measured(float(found.mean()), found - found.mean()) for found in (first, second))
    change, error = one.minus(other)
    assert change == pytest.approx(1 / 8)
    assert error == pytest.approx(np.sqrt((3 - 1 / 8) / 8 / 7))
    assert one.minus(one) == (0.0, 0.0)
