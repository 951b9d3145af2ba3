"""Effects in the words of the clinic: counted in patients, against the normal model and against other patients.

Every bound is 4.9 Monte Carlo standard errors.
"""

import numpy as np
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.truth import true_values
from trialsim.patients.cohort import PatientSource
from trialsim.planning.clinical import ClinicalEffect, Counted, clinical_effect, clinical_effects
from trialsim.streams import Streams

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}}


def of(changes, document=CONTINUOUS):
    resolved = resolve(document, changes)
    return clinical_effect(resolved.variants[0], resolved.hash, resolved.variants[0].estimands[0])


def near(counted, value):
    assert 0.0 < counted.mcse < 0.01
    assert counted.value == pytest.approx(value, abs=4.9 * counted.mcse)


def test_normal_scores():
    """Baseline 20 ± 5, later 15 and 12 ± 5, correlation .5: y − b/2 has variance 25 + 6.25 − 12.5."""
    found = of(EFFECT)
    assert found.points == Counted(-3.0, 0.0)
    near(found.d, -0.6)
    sd = np.sqrt(25.0 + 6.25 - 12.5)
    active, control = stats.norm.cdf([10.0 - 12.0, 10.0 - 15.0], scale=sd)
    near(found.responders[0], active)
    near(found.responders[1], control)
    near(found.more, active - control)
    near(found.better, stats.norm.cdf(3.0 / (5.0 * np.sqrt(2.0))))
    needed, low, high = found.number_needed
    assert low < 1.0 / (active - control) < high
    assert needed == pytest.approx(1.0 / found.more.value)
    assert found.patients == 40_000


def test_a_bounded_scale_against_other_patients():
    """Drawn with another seed and their places in the trial: 200,000 of each arm."""
    changes = {"effects.ketamine.specific_share": 0.6, "dropout": None}
    variant = resolve(BOUNDED, changes).variants[0]
    found = of(changes, BOUNDED)
    estimand = variant.estimands[0]
    source, streams = PatientSource(variant), Streams(7, 0)
    stratum = source.enrol(streams, 800)
    improved, scores = [], []
    for arm in (estimand.active, estimand.control):
        cohort = source.follow(streams, stratum, np.full_like(stratum, arm))
        y, baseline = cohort.scores[:, :, estimand.visit, 0], cohort.baseline[..., 0]
        improved.append(float(np.mean(y <= 0.5 * baseline)))
        # A patient against the next one of the other arm: two people, as random as any.
        scores.append(y if arm == estimand.active else np.roll(y, 1, axis=1))
    own = 0.5 / np.sqrt(200_000)
    for counted, other in zip(found.responders, improved, strict=True):
        assert counted.value == pytest.approx(other, abs=4.9 * np.hypot(counted.mcse, own))
    wins = np.mean(scores[0] < scores[1]) + 0.5 * np.mean(scores[0] == scores[1])
    assert found.better.value == pytest.approx(wins, abs=4.9 * np.hypot(found.better.mcse, own))


def test_a_response_is_the_endpoint():
    found = of({**EFFECT, "estimands.primary.endpoint": {"at_most": 10}, "analysis.primary": [{"method": "fisher"}]})
    assert (found.points, found.d, found.better) == (None, None, None)
    active, control = stats.norm.cdf([10.0 - 12.0, 10.0 - 15.0], scale=5.0)
    near(found.more, active - control)
    assert found.endpoint != ""


def test_leaving_counts_as_the_estimand_says():
    """Everybody who leaves fails under the composite strategy: a fifth fewer responders, and less to gain."""
    leaving = {"dropout": {"model": "mcar", "missing_by": {14: 0.2}}}
    endpoint = {"estimands.primary.endpoint": {"at_most": 10}, "analysis.primary": [{"method": "fisher"}]}
    composite = {"estimands.primary.intercurrent_events": {"dropout": "composite"}}
    stay, fail = of({**EFFECT, **endpoint, **leaving}), of({**EFFECT, **endpoint, **leaving, **composite})
    error = np.hypot(0.8 * stay.more.mcse, fail.more.mcse)
    assert fail.more.value == pytest.approx(0.8 * stay.more.value, abs=4.9 * error)


def test_where_higher_is_better_there_are_no_responders():
    found = of({**EFFECT, "outcomes.score.lower_is_better": False})
    assert found.responders is None
    assert found.number_needed is None
    near(found.better, stats.norm.cdf(-3.0 / (5.0 * np.sqrt(2.0))))


def test_no_difference_has_no_number_needed():
    found = of({})
    assert found.points.value == 0.0
    assert found.more == Counted(0.0, 0.0)
    assert found.number_needed is None


def test_harm_has_a_negative_number_needed():
    counted = Counted(-0.1, 0.01)
    given = dict.fromkeys(ClinicalEffect.__dataclass_fields__, None)
    harm = ClinicalEffect(**{**given, "more": counted, "favourable": True})
    low, high = counted.interval
    assert harm.number_needed == pytest.approx((-10.0, 1.0 / high, 1.0 / low))
    # Fewer relapses are a benefit.
    assert ClinicalEffect(**{**given, "more": counted, "favourable": False}).number_needed[0] == pytest.approx(10.0)


def test_only_scores_and_responses_of_two_arms():
    time_to = {"estimands.primary.endpoint": {"time_to": {"reduction": 0.5}}, "analysis.primary": [{"method": "rmst"}]}
    resolved = resolve(CONTINUOUS, {**EFFECT, **time_to})
    assert clinical_effects(resolved.variants[0], resolved.hash) == []


def test_points_of_a_simulated_truth_are_the_true_value_of_the_estimand():
    """One number for one thing: that which the analyses are held against, with its own error."""
    asked = {"intercurrent_events": {"dropout": "composite"}, "failure_score": "baseline"}
    estimand = {"outcome": "score", "visit": 14, "contrast": ["active", "control"], **asked}
    leaving = {"dropout": {"model": "mcar", "missing_by": {14: 0.2}}}
    changes = {**EFFECT, **leaving, "estimands.primary": estimand, "analysis.primary": {"method": "ancova"}}
    variant = resolve(CONTINUOUS, changes).variants[0]
    (truth,) = true_values(variant).values()
    assert truth.se > 0.0
    assert of(changes).points == Counted(*truth)
    # An analysis that estimates no points has none to take: they are counted.
    counted = of({**changes, "analysis.primary": {"method": "wilcoxon"}}).points
    assert counted.mcse > truth.se
    assert counted.value == pytest.approx(truth.value, abs=4.9 * np.hypot(counted.mcse, truth.se))
