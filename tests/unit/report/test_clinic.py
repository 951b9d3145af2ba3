"""Effects in the words of the clinic: against the normal model by hand and against simulated patients."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.patients.cohort import PatientSource
from trialsim.report.clinic import clinic_effect, clinic_words
from trialsim.report.summary import PRIMARY
from trialsim.scenario.export import variant_dict
from trialsim.streams import Streams

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}}


def effect_of(variant):
    told = variant_dict(variant)
    return clinic_effect(told, told["estimands"][0])


def test_one_stratum_by_hand():
    """Baseline 20 ± 5, later 15 and 12 ± 5, correlation .5: y − b/2 has variance 25 + 6.25 − 12.5."""
    found = effect_of(resolve(CONTINUOUS, EFFECT).variants[0])
    assert found.points == -3.0
    assert found.d == pytest.approx(-0.6)
    sd = np.sqrt(25.0 + 6.25 - 12.5)
    assert found.response == pytest.approx(stats.norm.cdf([10.0 - 12.0, 10.0 - 15.0], scale=sd))
    assert found.better == pytest.approx(stats.norm.cdf(3.0 / (5.0 * np.sqrt(2.0))))


@pytest.mark.parametrize("document", [CONTINUOUS, BOUNDED], ids=["continuous", "bounded"])
def test_against_simulated_patients(document):
    """200,000 patients of each arm: 4.9 standard errors are 0.0055; 0.03 more for steps and bounds of a scale."""
    changes = EFFECT if document is CONTINUOUS else {"effects.ketamine.specific_share": 0.6, "dropout": None}
    variant = resolve(document, changes).variants[0]
    found = effect_of(variant)
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
    slack = 4.9 * 0.5 / np.sqrt(200_000) + (0.0 if document is CONTINUOUS else 0.03)
    assert found.response == pytest.approx(improved, abs=slack)
    wins = np.mean(scores[0] < scores[1]) + 0.5 * np.mean(scores[0] == scores[1])
    assert found.better == pytest.approx(wins, abs=slack)


def test_strata_count_by_their_shares():
    two = {
        "population.strata": {
            "one": {"share": 0.25, "baseline": {"score": {"mean": 24.0, "sd": 4.0}}},
            "other": {"share": 0.75, "baseline": {"score": {"mean": 18.0, "sd": 5.0}}},
        }
    }
    found = effect_of(resolve(CONTINUOUS, {**EFFECT, **two}).variants[0])
    sd = [np.sqrt(25.0 + (0.5 * b) ** 2 - 0.5 * 5.0 * b) for b in (4.0, 5.0)]
    by_stratum = stats.norm.cdf([(12.0 - 12.0) / sd[0], (9.0 - 12.0) / sd[1]])
    assert found.response[0] == pytest.approx(0.25 * by_stratum[0] + 0.75 * by_stratum[1])


def test_where_higher_is_better_there_are_no_responders():
    variant = resolve(CONTINUOUS, {**EFFECT, "outcomes.score.lower_is_better": False}).variants[0]
    found = effect_of(variant)
    assert found.response is None
    assert found.better == pytest.approx(stats.norm.cdf(-3.0 / (5.0 * np.sqrt(2.0))))


@pytest.mark.parametrize(
    "changes",
    [
        {"estimands.primary.endpoint": {"reduction": 0.5}, "analysis.primary": [{"method": "fisher"}]},
        {"estimands.primary.intercurrent_events": {"dropout": "composite"}, "dropout": {"missing_by": {14: 0.2}}},
    ],
)
def test_what_is_no_difference_of_two_arms_scores(changes):
    assert effect_of(resolve(CONTINUOUS, {**EFFECT, **changes}).variants[0]) is None


def words_of(changes):
    resolved = resolve(CONTINUOUS, changes).to_dict()
    summary = pd.DataFrame([{"cell": 0, "variant": 0, "n": 80, "estimand": PRIMARY, "method": "mmrm"}])
    (told,) = clinic_words(resolved, PRIMARY, summary)
    return told.words.replace("\u00a0", " ")


def test_words():
    found = effect_of(resolve(CONTINUOUS, EFFECT).variants[0])
    active, control = found.response
    text = words_of(EFFECT)
    assert text.startswith("3.00 points fewer with active than with control (d = 0.60); responders")
    assert f"{100 * active:.1f} per 100 on active, {100 * control:.1f} on control" in text
    assert f"{100 * (active - control):.1f} more responders per 100" in text
    assert f"number needed to treat {int(np.ceil(1 / (active - control)))};" in text
    assert text.endswith(f"with a probability of {100 * found.better:.1f} %.")


def test_no_difference_in_words():
    assert words_of({}) == "No difference between active and control."


def test_harm_is_told_as_harm():
    harmful = {"course.means.score": {"control": [18.0, 16.0, 12.0], "active": [18.0, 16.0, 15.0]}}
    text = words_of(harmful)
    assert "3.00 points more with active" in text
    assert "number needed to harm" in text
