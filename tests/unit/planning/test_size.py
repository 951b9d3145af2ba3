"""The search for a size on power curves whose root is known, and the answer for scenarios."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, stdtrit

from trials import BOUNDED
from trials import resolve as trial_resolve
from trialsim.engine.operations_runs import operational_summary
from trialsim.errors import InputError
from trialsim.planning.curve import Trials, Tried, fit_curve
from trialsim.planning.detectable import detectable_effect
from trialsim.planning.formulas.means import two_sample_t
from trialsim.planning.screening import screening_of
from trialsim.planning.search import Aim, Axis, search
from trialsim.planning.size import required_size
from trialsim.report.sizes import size_text
from trialsim.scenario import load, resolve

HARMFUL = pytest.mark.filterwarnings("ignore:.* is for the worse")  # told at loading

SIZES = Axis(0.5, 4.0, 100_000.0, 2.0)


class TTests:
    """Trials of two arms with complete normal scores, alternately allocated; smaller ones are parts of larger ones."""

    def __init__(self, seed, effect):
        self.seed, self.effect = seed, effect

    def __call__(self, tasks):
        return [self.block(task) for task in tasks]

    def block(self, task):
        y = np.random.default_rng([self.seed, task.block]).standard_normal((int(task.places[-1]), 250))
        y[1::2] += self.effect
        sums, squares = ([np.cumsum(arm**k, axis=0) for arm in (y[::2], y[1::2])] for k in (1, 2))
        return [
            Tried(place, self.found(sums, squares, int(place) // 2), np.ones((250, 1), bool)) for place in task.places
        ]

    def found(self, sums, squares, n):
        mean = [total[n - 1] / n for total in sums]
        variance = sum(s[n - 1] - n * m**2 for s, m in zip(squares, mean, strict=True)) / (2 * n - 2)
        return ((mean[1] - mean[0]) / np.sqrt(2 * variance / n) > stdtrit(2 * n - 2, 0.975))[:, None]


class Coins:
    """Trials that find an effect with a given power by place, one uniform number a replicate for all places."""

    def __init__(self, power, seed=0):
        self.power, self.seed = power, seed

    def __call__(self, tasks):
        uniform = [np.random.default_rng([self.seed, task.block]).random((250, 1)) for task in tasks]
        ones = np.ones((250, 1), bool)
        return [
            [
                Tried(place, u < np.atleast_1d(self.power(place)), np.repeat(ones, np.size(self.power(place)), 1))
                for place in task.places
            ]
            for task, u in zip(tasks, uniform, strict=True)
        ]


def exact_size(effect, power):
    """Return N, as a real number, of the two-sample t test from the noncentral t distribution."""
    return brentq(lambda n: 1.0 - nctdtr(n - 2, effect * math.sqrt(n) / 2, stdtrit(n - 2, 0.975)) - power, 4.0, 1e5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "power", "precision", "start"),
    [(0.5, 0.9, 0.04, 200), (0.5, 0.9, 0.04, 40), (1.2, 0.8, 0.05, 500), (0.8, 0.95, 0.04, 60)],
)
def test_intervals_hold_the_true_size_of_a_t_test(effect, power, precision, start):
    """Of 200 searches with other seeds; 95 % intervals hold it 190 times, and 175 are 4.9 standard errors less.

    A bias of the root of 1.5 of its standard errors would show, and so would errors that took the sizes of a block as
    independent with a curvature that pulls the root.
    """
    true = exact_size(effect, power)
    found = [search(TTests(seed, effect), SIZES, Aim(power, precision, 400_000), start) for seed in range(200)]
    assert all(one.status == "found" and one.half_width <= precision + 1 / one.curve.place for one in found)
    held = sum(one.interval[0] <= true <= one.interval[1] for one in found)
    assert held >= 175
    # The root is not biased: sequential stopping and curvature are worth less than a fifth of the interval.
    bias = np.mean([math.log(one.curve.place / true) for one in found])
    assert abs(bias) < 0.2 * precision


def test_exact_size_is_that_of_the_closed_form():
    assert exact_size(0.5, 0.9) == pytest.approx(two_sample_t(difference=0.5, power=0.9).value, rel=1e-6)


def blocks_of(power, places, n_blocks, *, same, seed=3):
    """Return trials whose outcomes at the places of a replicate are the same draw, or independent ones."""
    trials = Trials()
    generator = np.random.default_rng(seed)
    for block in range(n_blocks):
        shared = generator.random((250, 1))
        for place in places:
            u = shared if same else generator.random((250, 1))
            trials.add(block, Tried(place, u < power(place), np.ones((250, 1), bool)))
    return trials


def straight(n):
    return ndtr(-1.96 + 0.3 * math.sqrt(n))


def test_error_of_the_root_allows_for_patients_that_sizes_share():
    """With the same uniform number at all sizes a replicate says once what independent ones say three times.

    Around the root of a line the standard errors of level are then larger by nearly sqrt(3) (other than by the small
    differences in power); an error that took trials as independent would be the same in both.
    """
    places = (100.0, 116.0, 134.0)
    shared, alone = (fit_curve(blocks_of(straight, places, 40, same=same), 0, 0.9, 0.5) for same in (True, False))
    assert 1.35 < shared.relative_se / alone.relative_se < 1.8


@pytest.mark.parametrize("same", [True, False])
def test_error_of_the_root_is_its_spread_over_repeats(same):
    """Over 300 repeats; the SD of 300 roots has a relative standard error of 4 %, so 0.8 to 1.2 is 4.9 of them."""
    places = (100.0, 116.0, 134.0)
    curves = [fit_curve(blocks_of(straight, places, 8, same=same, seed=seed), 0, 0.9, 0.5) for seed in range(300)]
    spread = np.std([math.log(curve.place) for curve in curves], ddof=1)
    typical = math.sqrt(np.mean([curve.relative_se**2 for curve in curves]))
    assert 0.8 < typical / spread < 1.25


def test_a_clear_curvature_is_followed():
    """A curve that flattens: a line through it would miss the root by several of its errors."""

    def bent(n):
        t = math.sqrt(n / 120.0) - 1.0
        return ndtr(1.2 + 1.5 * t - 3.0 * t**2)

    true = brentq(lambda n: bent(n) - 0.9, 100.0, 140.0)
    curve = fit_curve(blocks_of(bent, (80.0, 100.0, 122.0, 150.0, 180.0), 200, same=False), 0, 0.9, 0.5)
    assert curve.curved
    assert abs(math.log(curve.place / true)) < 4.9 * curve.relative_se


def test_trials_far_from_the_root_do_not_bend_the_curve():
    def kinked(n):
        return straight(n) if n > 60 else 0.0

    near = fit_curve(blocks_of(straight, (100.0, 116.0, 134.0), 20, same=False), 0, 0.9, 0.5)
    trials = blocks_of(straight, (100.0, 116.0, 134.0), 20, same=False)
    trials.add(0, Tried(20.0, np.zeros((250, 1), bool), np.ones((250, 1), bool)))
    assert fit_curve(trials, 0, 0.9, 0.5).place == pytest.approx(near.place, rel=1e-9)


def test_fits_that_failed_are_in_no_denominator():
    """Half of the fits fail whatever they would have found: root and counts are those of the other half."""
    trials, half = Trials(), Trials()
    generator = np.random.default_rng(5)
    for block in range(60):
        place = (100.0, 116.0, 134.0)[block % 3]
        found, usable = generator.random((250, 1)) < straight(place), generator.random((250, 1)) < 0.5
        trials.add(block, Tried(place, found, usable))
        half.add(block, Tried(place, found[usable[:, 0]], usable[usable[:, 0]]))
    one, other = (fit_curve(some, 0, 0.9, 0.5) for some in (trials, half))
    assert one.place == pytest.approx(other.place, rel=1e-12)
    assert trials.counts(0)[0].replicates == 20 * 250 > trials.counts(0)[0].usable


def test_band_holds_power_and_is_narrowest_near_the_trials():
    curve = fit_curve(blocks_of(straight, (100.0, 116.0, 134.0), 40, same=False), 0, 0.9, 0.5)
    places = np.array([60.0, 116.0, 200.0])
    power, low, high = curve.band(places, 4.9)
    assert ((low < [straight(n) for n in places]) & ([straight(n) for n in places] < high)).all()
    assert (high - low)[1] < (high - low)[0]
    step = curve.band(np.array([curve.place + 0.5, curve.place - 0.5]), 0.0)[0]
    assert curve.power_slope() == pytest.approx(step[0] - step[1], rel=1e-4)
    assert power[1] == pytest.approx(straight(116.0), abs=0.02)


# Ends of a search ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.025, 0.5, 0.85])
def test_a_power_that_levels_off_below_the_target_ends_the_search(level):
    found = search(Coins(lambda n: min(straight(n / 4), level)), SIZES, Aim(0.9, 0.02, 400_000), 100)
    assert found.status == "unreachable"
    assert found.curve is None
    assert found.trials.number <= 10 * 250
    assert found.best.found / found.best.usable == pytest.approx(level, abs=0.15)


def test_a_power_that_levels_off_just_above_the_target_is_not_taken_for_precise():
    """Power falls just short of the target, so that some blocks seem to reach it: no narrow interval may come of it."""
    found = search(Coins(lambda n: min(straight(n), 0.897)), Axis(0.5, 4, 2000, 2), Aim(0.9, 0.02, 60_000), 100)
    assert found.status != "found" or found.interval[1] > 150


def test_a_power_that_the_smallest_trial_has_ends_the_search():
    found = search(Coins(lambda n: 0.999), SIZES, Aim(0.9, 0.02, 400_000), 100)
    assert found.status == "smallest"
    assert found.best.place == SIZES.least


def test_trials_that_cannot_be_analysed_end_the_search():
    def sample(tasks):
        nothing = np.zeros((250, 1), bool)
        return [[Tried(place, nothing, nothing) for place in task.places] for task in tasks]

    found = search(sample, SIZES, Aim(0.9, 0.02, 400_000), 100)
    assert found.status == "no_fits"
    assert found.best is None


def test_budget_ends_the_search_with_what_is_known():
    found = search(TTests(1, 0.5), SIZES, Aim(0.9, 0.005, 5_000), 200)
    assert found.status == "budget"
    assert found.trials.number <= 5_000
    assert found.half_width > 0.005
    assert found.interval[0] < exact_size(0.5, 0.9) < found.interval[1]


def test_the_hypothesis_that_needs_most_decides():
    """Of three, with power by 0.3, 0.2 and 0.9 of sqrt(N): the second takes (3.24 / 0.2)²."""

    def power(n):
        return ndtr(-1.96 + np.array([0.3, 0.2, 0.9]) * math.sqrt(n))

    found = search(Coins(power), SIZES, Aim(0.9, 0.03, 400_000), 100, hypotheses=3)
    assert (found.status, found.hypothesis) == ("found", 1)
    true = ((1.9600 + 1.28155) / 0.2) ** 2
    assert abs(math.log(found.curve.place / true)) < 4.9 * found.curve.relative_se


# Scenarios ----------------------------------------------------------------------------------------------------

T_TEST = """
schema: 1
title: A t test
population: {strata: {all: {baseline: {qids_sr16: {mean: 15, sd: 4}}}}}
schedule: {infusions: [0], visits: [7]}
arms: {saline: {infusion: saline}, ketamine: {infusion: ketamine}}
outcomes: {qids_sr16: {scale: continuous, post_sd: 5, residual_sd: 4.5}}
course: {control_change: {qids_sr16: -2}}
effects: {ketamine: {points: {qids_sr16: -2.5}}}
allocation: {method: permuted_blocks, block_sizes: [2]}
estimands: {primary: {outcome: qids_sr16, visit: 7, contrast: [ketamine, saline]}}
analysis: {primary: {method: t_test}}
sample_size: 100
simulation: {replicates: 250, seed: 11}
"""


@pytest.fixture
def t_test(tmp_path):
    path = tmp_path / "t_test.yaml"
    path.write_text(T_TEST, encoding="utf-8")
    return path


def scenario_of(path, **settings):
    return load(path, settings={name.replace("__", "."): value for name, value in settings.items()})


def test_size_of_a_scenario_is_that_of_the_closed_form(t_test):
    """Complete data and a t test: the exact N; 4.9 standard errors of the logarithm of the estimate."""
    answer = required_size(resolve(scenario_of(t_test)), power=0.9, precision=0.05)
    exact = two_sample_t(difference=2.5, sd=5.0, power=0.9).value
    assert answer.reached
    assert answer.reason == ""
    assert abs(math.log(answer.n_exact / exact)) < 4.9 * answer.half_width / 1.96
    assert answer.n_total == 2 * math.ceil(answer.n_exact / 2)
    assert answer.n_low <= answer.n_total <= answer.n_high
    assert answer.arms == {"saline": answer.n_total // 2, "ketamine": answer.n_total // 2}
    assert answer.completers == answer.n_total
    assert answer.to_screen == math.ceil(answer.n_total / (0.08 * 0.2))
    assert answer.at_n_total.low < answer.at_n_total.power < answer.at_n_total.high
    slope = 0.01 / answer.patients_per_percent
    higher = two_sample_t(difference=2.5, sd=5.0, n_total=exact + 1).value
    assert slope == pytest.approx(higher - 0.9, rel=0.25)


def test_answer_is_the_same_again_and_with_more_workers(t_test):
    resolved = resolve(scenario_of(t_test))
    first, second, other = (
        required_size(resolved, power=0.8, precision=0.05, workers=workers).to_dict() for workers in (1, 1, 2)
    )
    assert first == second == other
    seeded = required_size(resolve(scenario_of(t_test, simulation__seed=12)), power=0.8, precision=0.05)
    assert seeded.n_exact != first["n_exact"]


def test_sizes_are_whole_multiples_of_the_allocation_ratio(t_test):
    given = scenario_of(t_test, allocation={"ratio": [1, 2], "block_sizes": [3]})
    answer = required_size(resolve(given), power=0.8, precision=0.05)
    assert answer.n_total % 3 == 0
    assert answer.arms == {"saline": answer.n_total // 3, "ketamine": 2 * answer.n_total // 3}
    exact = two_sample_t(difference=2.5, sd=5.0, power=0.8, ratio=(1, 2)).value
    assert abs(math.log(answer.n_exact / exact)) < 4.9 * answer.half_width / 1.96


def test_loss_is_told_and_asked_for(t_test):
    given = scenario_of(t_test, dropout={"model": "mcar", "missing_by": {7: 0.25}})
    answer = required_size(resolve(given), power=0.8, precision=0.05)
    exact = two_sample_t(difference=2.5, sd=5.0, power=0.8).value
    assert answer.share_missing == pytest.approx(0.25, abs=0.01)
    assert answer.completers == math.floor(answer.n_total * (1 - answer.share_missing))
    # A completers' t test takes the exact number of completers, but for chance differences between the arms.
    assert abs(math.log(answer.n_exact * 0.75 / exact)) < 4.9 * answer.half_width / 1.96 + 0.01


@pytest.mark.parametrize(
    ("points", "words"), [(0, "nothing to find"), (2.5, "is a harm"), (-0.02, "with up to 20,000 patients")]
)
@HARMFUL
def test_a_power_out_of_reach_is_said_with_the_best_seen(t_test, points, words):
    answer = required_size(resolve(scenario_of(t_test, effects__ketamine__points__qids_sr16=points)), power=0.9)
    assert not answer.reached
    assert answer.n_total is None
    assert answer.arms == {}
    assert words in answer.reason
    assert 0.0 <= answer.best_power < 0.2


@pytest.mark.parametrize(
    ("asked", "analysis", "words"),
    [
        ({"endpoint": "response"}, "risk_difference", "percentage points"),
        ({"intercurrent_events": {"dropout": "composite"}}, "ancova", "points"),
        ({"endpoint": {"time_to": "response"}}, "cox", "log hazard ratio -"),
    ],
)
@HARMFUL
def test_a_simulated_harm_is_told_without_a_search(t_test, asked, analysis, words):
    primary = {"outcome": "qids_sr16", "visit": 7, "contrast": ["ketamine", "saline"], **asked}
    given = scenario_of(
        t_test,
        estimands__primary=primary,
        analysis__primary={"method": analysis},
        effects__ketamine__points__qids_sr16=2.5,
        dropout={"model": "mcar", "missing_by": {7: 0.1}},
    )
    answer = required_size(resolve(given), power=0.9)
    assert not answer.reached
    assert re.search(r"the true effect of primary \(.* ± .*\) is a harm, and no power counts against it", answer.reason)
    assert words in answer.reason
    assert answer.blocks == 1


def test_eligibility_of_the_scenario_replaces_the_catalogue(t_test):
    cut = {"outcome": "qids_sr16", "at_least": 15}
    answer = required_size(resolve(scenario_of(t_test, population__eligibility=cut)), power=0.8, precision=0.2)
    assert answer.screening.eligible.source == "the scenario's eligibility"
    # Half of a normal lies above its mean.
    assert answer.screening.eligible.value == pytest.approx(0.5, abs=0.01)
    assert answer.to_screen == math.ceil(answer.n_total / (answer.screening.eligible.value * 0.2))


SECOND = {"outcome": "qids_sr16", "visit": 7, "contrast": ["ketamine", "saline"], "non_inferiority_margin": 2}


def test_goals_of_several_hypotheses(t_test):
    """The claim against a margin is weaker, and what is needed for it less: 'each' is decided by the primary."""
    given = scenario_of(t_test, estimands__second=SECOND)
    primary, each, both = (
        required_size(resolve(given), power=0.8, precision=0.1, goal=goal) for goal in ("primary", "each", "all")
    )
    assert (each.hypothesis, both.hypothesis) == ("primary", "primary and second")
    assert each.n_exact == pytest.approx(primary.n_exact, rel=0.15)
    assert both.n_exact == pytest.approx(primary.n_exact, rel=0.15)
    assert any("no multiplicity" in note for note in each.notes)
    held = required_size(
        resolve(
            scenario_of(
                t_test,
                estimands__second=SECOND,
                multiplicity={"method": "bonferroni", "hypotheses": ["primary", "second"]},
            )
        ),
        power=0.8,
        precision=0.1,
        goal="each",
    )
    halved = two_sample_t(difference=2.5, sd=5.0, power=0.8, alpha=0.025).value
    assert held.notes == ()
    assert abs(math.log(held.n_exact / halved)) < 4.9 * held.half_width / 1.96
    # The formula beside it has the whole level, which is said first.
    assert held.closed_form.n < 0.9 * held.n_exact
    assert "within the multiplicity procedure" in held.closed_form.leaves_out[0]
    assert primary.closed_form.leaves_out == ()


def test_co_primary_hypotheses_are_found_together_or_not_at_all(t_test):
    """No formula of one of them stands beside a size that all of them take."""
    given = scenario_of(
        t_test, estimands__second=SECOND, multiplicity={"method": "co_primary", "hypotheses": ["primary", "second"]}
    )
    each, both = (required_size(resolve(given), power=0.8, precision=0.1, goal=goal) for goal in ("each", "all"))
    assert (each.n_exact, each.n_low, each.n_high) == (both.n_exact, both.n_low, both.n_high)
    assert each.hypothesis == "primary and second"
    assert each.closed_form is None
    assert any("together or not at all" in note for note in each.notes)
    assert both.notes == ()
    own, whole = (detectable_effect(given, PATH, n=120, power=0.8, precision=0.1, goal=g) for g in ("each", "all"))
    assert (own.hypothesis, own.value) == ("primary and second", whole.value)
    assert own.closed_form is None


def test_the_primary_hypothesis_takes_more_within_its_procedure_than_alone(t_test):
    """Bonferroni halves its level; alone it has the whole one; the answer says which of the two was asked."""
    plan = {"method": "bonferroni", "hypotheses": ["primary", "second"]}
    given = resolve(scenario_of(t_test, estimands__second=SECOND, multiplicity=plan))
    for goal, alpha, said in (
        ("primary", 0.025, "80 % power for primary, within the procedure (Bonferroni)."),
        ("alone", 0.05, "80 % power for primary, tested alone at its own level."),
    ):
        found = required_size(given, power=0.8, precision=0.1, goal=goal)
        exact = two_sample_t(difference=2.5, sd=5.0, power=0.8, alpha=alpha).value
        assert abs(math.log(found.n_exact / exact)) < 4.9 * found.half_width / 1.96
        assert said in " ".join(size_text(found.to_dict()).split())


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"power": 1.0}, "power"),
        ({"power": 0.9, "precision": 0.0}, "precision"),
        ({"power": 0.9, "most_trials": 0}, "budget"),
    ],
)
def test_numbers_out_of_range_are_refused(t_test, options, path):
    with pytest.raises(InputError, match=path):
        required_size(resolve(scenario_of(t_test)), **options)


PATH = "effects.ketamine.points.qids_sr16"


def test_detectable_effect_is_that_of_the_closed_form(t_test):
    answer = detectable_effect(scenario_of(t_test), PATH, n=120, power=0.8, precision=0.04)
    exact = two_sample_t(n_total=120, sd=5.0, power=0.8).value
    assert answer.reached
    assert answer.value < 0
    assert abs(math.log(-answer.value / exact)) < 4.9 * answer.half_width / 1.96
    assert abs(answer.low) < abs(answer.value) < abs(answer.high)
    assert answer.closed_form.value == pytest.approx(-exact, rel=1e-5)
    assert not answer.closed_form.differs


def test_an_effect_beyond_what_the_scenario_allows(t_test):
    """A share ends at 1: no more than that is tried."""
    t_test.write_text(T_TEST.replace("course: {control_change: {qids_sr16: -2}}\n", ""), encoding="utf-8")
    given = scenario_of(t_test, effects__ketamine={"open_label_change": {"qids_sr16": -3}, "specific_share": 0.5})
    answer = detectable_effect(given, "effects.ketamine.specific_share", n=16, power=0.9)
    assert not answer.reached
    assert "specific_share = 1 and 16 patients" in answer.reason


@pytest.mark.parametrize("path", ["effects.nobody", "title", "effects.ketamine"])
def test_an_effect_that_is_no_number_is_refused(t_test, path):
    with pytest.raises(InputError, match="must be a number other than 0"):
        detectable_effect(scenario_of(t_test), path, n=100, power=0.9)


def test_places_are_multiples_within_the_ends():
    axis = Axis(0.5, 6.0, 100.0, 6.0)
    assert [axis.nearest(x) for x in (1.0, 8.0, 9.1, 99.0, 1e6)] == [6.0, 6.0, 12.0, 96.0, 96.0]
    assert replace(axis, step=0.0).nearest(7.3) == 7.3


# Beside the number ---------------------------------------------------------------------------------------------


def test_closed_form_of_a_t_test_is_exact(t_test):
    answer = required_size(resolve(scenario_of(t_test)), power=0.9, precision=0.05)
    exact = two_sample_t(difference=2.5, sd=5.0, power=0.9)
    assert answer.closed_form.n == math.ceil(exact.value)
    assert answer.closed_form.n_total == exact.n_total_rounded
    assert answer.closed_form.differs is False


def test_closed_form_that_is_far_off_is_marked(t_test):
    """Patients of one group hang together, and nobody told the t test."""
    groups = {"clusters": {"ward": {"arms": ["saline", "ketamine"], "size": 10, "icc": 0.4}}}
    answer = required_size(resolve(scenario_of(t_test, **groups)), power=0.9, precision=0.05)
    assert answer.closed_form.differs is True
    assert any("hang together" in sentence for sentence in answer.closed_form.leaves_out)


def test_no_closed_form_where_nothing_is_to_be_found_or_all_at_once(t_test):
    null = scenario_of(t_test, effects__ketamine__points__qids_sr16=0)
    assert required_size(resolve(null), power=0.9).closed_form is None
    two = {
        "estimands": {
            "primary": {"outcome": "qids_sr16", "visit": 7, "contrast": ["ketamine", "saline"]},
            "again": {"outcome": "qids_sr16", "visit": 7, "contrast": ["ketamine", "saline"]},
        },
        "analysis": {"primary": {"method": "t_test"}, "again": {"method": "welch"}},
    }
    given = resolve(scenario_of(t_test, **two))
    assert required_size(given, power=0.8, precision=0.1, goal="all").closed_form is None
    assert required_size(given, power=0.8, precision=0.1, goal="each").closed_form is not None


def test_effect_of_the_clinic_is_that_of_the_scenario(t_test):
    answer = required_size(resolve(scenario_of(t_test)), power=0.8, precision=0.1)
    assert answer.clinical.points.value == -2.5
    assert answer.clinical.d.value == pytest.approx(-0.5, abs=4.9 * answer.clinical.d.mcse)
    found = detectable_effect(scenario_of(t_test), "effects.ketamine.points.qids_sr16", n=100, power=0.8, precision=0.1)
    assert found.clinical.points.value == pytest.approx(found.value)


# What there may be ---------------------------------------------------------------------------------------------


def test_more_patients_than_there_may_be(t_test):
    """170 are needed; with 100 the power of the exact t test is 70 %, here within 4.9 errors of 2,000 trials."""
    answer = required_size(resolve(scenario_of(t_test)), power=0.9, precision=0.05, most_patients=101)
    assert not answer.reached
    assert "cannot be reached with 100 patients" in answer.reason
    assert f"{answer.n_total:,} are needed" in answer.reason
    assert answer.best_n == 100
    exact = two_sample_t(difference=2.5, sd=5.0, n_total=100).power
    assert answer.best_power == pytest.approx(exact, abs=4.9 * math.sqrt(exact * (1 - exact) / 2_000))


def test_enough_patients_change_nothing(t_test):
    resolved = resolve(scenario_of(t_test))
    free = required_size(resolved, power=0.8, precision=0.1)
    limited = required_size(resolved, power=0.8, precision=0.1, most_patients=1_000)
    assert limited == replace(free, most_patients=1_000) or limited.to_dict() == {
        **free.to_dict(), "most_patients": 1_000
    }  # fmt: skip


def test_nothing_to_find_within_what_there_may_be(t_test):
    null = scenario_of(t_test, effects__ketamine__points__qids_sr16=0)
    answer = required_size(resolve(null), power=0.9, most_patients=50)
    assert not answer.reached
    assert "nothing to find. With 50 the share of trials that claim it all the same is" in answer.reason
    assert answer.best_n == 50
    assert answer.best_power < 0.1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"most_trials": 3_499}, "budget: must be at least 3,500 simulated trials"),
        ({"most_patients": 7}, "most patients: must be at least 8"),
        ({"most_patients": -1}, "most patients: must be at least 8"),
    ],
)
def test_an_impossible_budget(t_test, given, words):
    with pytest.raises(InputError, match=words):
        required_size(resolve(scenario_of(t_test)), power=0.9, **given)


def test_a_budget_that_is_spent_before_there_is_an_answer():
    """The first guess is so far off that single blocks on the way to the target use it up."""
    found = search(TTests(1, 0.05), SIZES, Aim(0.9, 0.02, 1_000), 4)
    assert (found.status, found.curve) == ("spent", None)
    assert found.trials.number <= 1_000


def test_with_operations_those_to_screen_go_through_the_scenario_s_funnel():
    funnel = {"eligible": 0.5, "passing_screening": 0.8, "passing_run_in": 0.5}
    operations = {"sites": {"number": 2}, "recruitment": {"funnel": funnel}}
    found = trial_resolve(BOUNDED, {"operations": operations})
    screening = screening_of(found.variants[0], found.hash)
    assert screening.number(100) == math.ceil(100 / (0.5 * 0.2 * 0.8 * 0.5))
    assert screening.eligible.source == "the scenario's funnel"
    assert screening.consenting.source.startswith("defaults.accrual.consenting_of_eligible")
    plain = trial_resolve(BOUNDED, {})
    assert screening_of(plain.variants[0], plain.hash).number(100) == 6250


ENDING = {"sites": {"number": 4}, "recruitment": {"until_month": 30, "target_months": 24}}


def words_of(answer):
    return " ".join(size_text(answer.to_dict()).replace("\u00a0", " ").split())


def test_a_size_that_recruitment_may_not_reach_is_told_with_what_it_reaches(t_test):
    given = resolve(scenario_of(t_test, operations=ENDING, effects__ketamine__points__qids_sr16=-3))
    answer = required_size(given, power=0.85, precision=0.1)
    at_size = replace(given.variants[0], sample_sizes=(answer.n_total,))
    run = operational_summary(at_size, given.seed, 250)[answer.n_total]
    reached = answer.recruitment
    assert 0.0 < reached.share < 1.0
    assert (reached.n, reached.until_month) == (answer.n_total, 30)
    assert (reached.share, reached.mean) == (run.recruited.value, run.randomised.value)
    assert answer.completers == math.floor(run.randomised.value * (1 - answer.share_missing))
    assert answer.to_dict()["recruitment"]["share"] == reached.share
    told = f"Recruitment to month 30 reaches {answer.n_total} in {100 * reached.share:.1f} % of trials"
    assert told in words_of(answer)


def test_a_power_that_recruitment_does_not_let_come_is_told_so(t_test):
    answer = required_size(resolve(scenario_of(t_test, operations=ENDING)), power=0.99, precision=0.1)
    assert not answer.reached
    largest = round(max(row["at"] for row in answer.curve))
    assert (answer.recruitment.n, answer.recruitment.share) == (largest, 0.0)
    told = words_of(answer)
    assert f"Recruitment to month 30 reaches {largest:,} in 0.0 % of trials" in told
    assert "No simulated trial has so many, and to ask for more adds nobody." in told


def test_of_no_more_patients_than_there_may_be_what_recruitment_reaches(t_test):
    given = resolve(scenario_of(t_test, operations=ENDING))
    assert required_size(given, power=0.99, precision=0.1, most_patients=120).recruitment.n == 120


def test_nothing_is_told_of_a_recruitment_that_reaches_its_number(t_test):
    given = resolve(scenario_of(t_test, operations={"sites": {"number": 40}}, effects__ketamine__points__qids_sr16=-4))
    answer = required_size(given, power=0.8, precision=0.1)
    assert answer.recruitment is None
    assert "Recruitment" not in words_of(answer)


def test_an_effect_for_a_number_that_recruitment_may_not_reach(t_test):
    given = scenario_of(t_test, operations=ENDING)
    answer = detectable_effect(given, "effects.ketamine.points.qids_sr16", n=120, power=0.8, precision=0.1)
    assert answer.recruitment.n == 120
    assert 0.0 < answer.recruitment.share < 1.0
    assert "Recruitment to month 30 reaches 120 in" in words_of(answer)


@pytest.mark.parametrize("power", [0.5, 0.9])
@HARMFUL
def test_an_effect_that_is_a_harm_is_not_searched(t_test, power):
    given = scenario_of(t_test, effects__ketamine__points__qids_sr16=3)
    answer = detectable_effect(given, "effects.ketamine.points.qids_sr16", n=100, power=power)
    assert not answer.reached
    assert answer.blocks == 1
    assert "the true effect of primary (+3 points) is a harm, and no power counts against it" in answer.reason


CO_PRIMARY = {"method": "co_primary", "hypotheses": ["primary", "second"]}
LATER = {"outcome": "bsl23", "visit": 7, "contrast": ["ketamine", "saline"]}


def co_primary(t_test, second):
    return scenario_of(
        t_test,
        outcomes__bsl23={"scale": "continuous"},
        population__strata__all__baseline__bsl23={"mean": 2, "sd": 0.8},
        course__control_change__bsl23=-0.2,
        effects__ketamine__points__bsl23=second,
        estimands__second=LATER,
        multiplicity=CO_PRIMARY,
    )


def test_each_of_several_hypotheses_has_its_true_effect(t_test):
    answer = required_size(resolve(co_primary(t_test, -0.4)), power=0.8, precision=0.2)
    assert [(effect.hypothesis, effect.value) for effect in answer.true_effects] == [
        ("primary", -2.5),
        ("second", pytest.approx(-0.4)),
    ]
    told = words_of(answer)
    assert "The true effect of primary: 2.50 points fewer" in told
    assert "The true effect of second: 0.40 points fewer" in told
    assert "The true effect:" not in told
    assert answer.to_dict()["true_effects"][1]["clinical"]["estimand"] == "second"


@pytest.mark.parametrize(("points", "told"), [(0, "0 points) is 0"), (0.4, "+0.4 points) is a harm")])
@HARMFUL
def test_the_hypothesis_that_stops_the_search_is_named_with_its_effect(t_test, points, told):
    given = co_primary(t_test, points)
    answer = required_size(resolve(given), power=0.8)
    assert f"the true effect of second ({told}" in answer.reason
    assert answer.clinical.estimand == "second"
    searched = detectable_effect(given, PATH, n=100, power=0.8)
    assert f"the true effect of second ({told}" in searched.reason
    assert searched.blocks == 1
