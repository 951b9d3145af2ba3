"""Sensitivity against closed forms. Bounds are 4.9 standard errors; a tornado's would see a power off by 0.045."""

from __future__ import annotations

import math

import pytest
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from trials import CONTINUOUS, resolve
from trialsim.planning.formulas.ancova import ancova
from trialsim.planning.sensitivity.tipping import design_tipping_point
from trialsim.planning.sensitivity.tornado import tornado
from trialsim.planning.sensitivity.trials import Budget
from trialsim.planning.sensitivity.worst import worst_type_i_error

N = 128
ONE_VISIT = {
    "schedule": {"visits": [14]},
    "course": {"control_change": {"score": -5.0}},
    "covariance": None,
    "effects": {"active": {"points": {"score": -2.5}}},
    "analysis": {"primary": {"method": "t_test"}},
    "sample_size": N,
}


def scenario(changes=None):
    return resolve(CONTINUOUS, {**ONE_VISIT, **(changes or {})}).scenario


def power_of_t(effect, sd, n=N):
    """Power of a two-sided t test to find the benefit: a noncentral t beyond its critical value."""
    return 1.0 - float(nctdtr(n - 2, effect / sd * math.sqrt(n) / 2, stdtrit(n - 2, 0.975)))


def bars_of(answer):
    return {bar.path: bar for bar in answer.bars}


def test_a_tornado_of_a_t_test_is_that_of_the_noncentral_t():
    ranges = {"effects.active.points.score": (-3.5, -1.0), "outcomes.score.post_sd": (4.0, 6.5)}
    answer = tornado(scenario(), budget=Budget(2000), ranges=ranges)
    bars = bars_of(answer)
    known = {
        ("effects.active.points.score", "low"): power_of_t(3.5, 5.0),
        ("effects.active.points.score", "high"): power_of_t(1.0, 5.0),
        ("outcomes.score.post_sd", "low"): power_of_t(2.5, 4.0),
        ("outcomes.score.post_sd", "high"): power_of_t(2.5, 6.5),
    }
    base = power_of_t(2.5, 5.0)
    assert abs(answer.base - base) < 4.9 * answer.base_mcse
    for (path, name), power in known.items():
        end = getattr(bars[path], name)
        assert abs(end.measure - power) < 4.9 * math.sqrt(power * (1 - power) / 2000), (path, name)
        assert abs(end.change - (power - base)) < 4.9 * end.change_mcse, (path, name)
        assert end.beyond_noise
        assert end.change_mcse < 0.95 * math.hypot(end.mcse, answer.base_mcse), "shared patients make the error smaller"
    assert [bar.path for bar in answer.bars] == sorted(bars, key=lambda path: bars[path].swing, reverse=True)


def test_a_tornado_of_an_ancova_is_that_of_its_closed_form():
    path = "outcomes.score.baseline_correlation"
    answer = tornado(
        scenario({"analysis": {"primary": {"method": "ancova"}}, "sample_size": 80}),
        budget=Budget(2000),
        ranges={path: (0.0, 0.8)},
    )
    (bar,) = (bar for bar in answer.bars if bar.path == path)
    for end, correlation in ((bar.low, 0.0), (bar.high, 0.8)):
        known = ancova(difference=2.5, sd=5.0, correlation=correlation, n_total=80).power
        assert abs(end.measure - known) < 4.9 * math.sqrt(known * (1 - known) / 2000), correlation


def test_what_does_not_matter_is_noise():
    answer = tornado(scenario(), budget=Budget(500), ranges={"course.control_change.score": (-8.0, -2.0)})
    (bar,) = (bar for bar in answer.bars if bar.path == "course.control_change.score")
    assert not bar.low.beyond_noise
    assert not bar.high.beyond_noise


def test_the_bias_of_an_unbiased_analysis_moves_nowhere():
    answer = tornado(scenario(), budget=Budget(1000), ranges={"outcomes.score.post_sd": (4.0, 6.5)}, metric="bias")
    for end in (answer.bars[0].low, answer.bars[0].high):
        assert abs(end.measure) < 4.9 * end.mcse
        assert end.mcse == pytest.approx(2 * end.value / math.sqrt(N) / math.sqrt(1000), rel=0.1)


def test_the_sizes_of_a_tornado_are_those_of_the_t_test():
    answer = tornado(scenario(), budget=Budget(500), ranges={"outcomes.score.post_sd": (4.0, 6.5)}, metric="n")
    bar = answer.bars[0]
    for end in (bar.low, bar.high):
        assert power_of_t(2.5, end.value, end.measure - 4.9 * end.mcse) < 0.8, end
        assert power_of_t(2.5, end.value, end.measure + 4.9 * end.mcse) > 0.8, end


def test_the_tipping_point_of_a_complete_case_model():
    """One visit, nothing known before it: those who left are imputed by their arm's mean, and delta is added."""
    leave, n, sd, effect = 0.25, 200, 5.0, 3.0
    changes = {
        "effects": {"active": {"points": {"score": -effect}}},
        "outcomes.score.baseline_correlation": 0.0,
        "dropout": {"model": "mcar", "missing_by": {14: leave}},
        "sample_size": n,
    }
    answer = design_tipping_point(scenario(changes), budget=Budget(1000), target=0.8)
    assert answer.left_active == pytest.approx(leave, abs=4.9 * answer.left_mcse + 0.005)  # and its calibration
    assert answer.flip == pytest.approx(effect / answer.left_active)
    assert answer.true_effect == -effect

    def power(delta):
        variance = 2 * sd**2 / (n / 2 * (1 - leave)) + delta**2 * leave * (1 - leave) / (n / 2)
        return float(ndtr((effect - delta * leave) / math.sqrt(variance) - ndtri(0.975)))

    for row in answer.rows:
        known = power(row.delta)
        error = math.sqrt(max(known * (1 - known), 1e-4) / 1000)
        assert abs(row.power - known) < 4.9 * error + 0.005, row.delta  # the reference is normal, the test Student's
        assert row.true_effect == pytest.approx(-effect + row.delta * answer.left_active)
        assert abs(row.bias + row.delta * answer.left_active) < 4.9 * row.bias_mcse
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if power(middle) > 0.8 else (low, middle)
    error = (answer.tipping_high - answer.tipping_low) / (2 * 1.96)
    assert abs(answer.tipping - low) < 4.9 * error


def test_ignored_groups_are_found_to_be_the_worst_type_i_error():
    """Groups of ten in both arms, ignored: .1036 at an ICC of .05 and .1551 at .10; in one arm .0766 and .1036."""
    for arms, nested, icc, known in ((None, "both", 0.05, 0.1036), (["active"], "one", 0.1, 0.1036)):
        cluster = {"size": 10, "icc": 0.0, **({} if arms is None else {"arms": arms})}
        changes = {"clusters": {"room": cluster}, "sample_size": 160}
        answer = worst_type_i_error(
            scenario(changes),
            budget=Budget(500),
            ranges={
                "clusters.room.icc": (0.0, icc),
                "outcomes.score.post_sd": (4.0, 6.0),
                "clusters.room.size": (9, 10),
            },
            screened=8,
        )
        worst = answer.worst
        assert answer.is_above, nested
        assert answer.differs, nested
        assert worst.values["clusters.room.icc"] > 0.8 * icc, nested
        assert abs(worst.share - known) < 4.9 * worst.mcse + 0.01, nested  # the search may stop beside the corner
        assert abs(answer.base.share - 0.05) < 4.9 * answer.base.mcse, nested
        assert worst.share < answer.search_share + 4.9 * worst.mcse, nested


def test_an_exact_test_has_no_worst_setting():
    ranges = {"outcomes.score.post_sd": (3.0, 8.0), "sample_size": (12, 40)}
    answer = worst_type_i_error(scenario(), budget=Budget(500), ranges=ranges, screened=8)
    assert not answer.is_above
    assert abs(answer.worst.share - 0.05) < 4.9 * answer.worst.mcse
    assert answer.search_share >= max(row.share for row in answer.tried) - 1e-12 or answer.worst.share <= 0.1
