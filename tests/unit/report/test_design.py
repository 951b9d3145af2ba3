"""What a report says of who is not seen, and of what its scenario leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from trials import BOUNDED, resolve
from trialsim.report.design import design_facts, dropout_models, left_out
from trialsim.report.protocol import limitations
from unit.report.conftest import summary_of

PLAIN = resolve(BOUNDED, {}).to_dict()
SUMMARY = summary_of(PLAIN)


def facts(**changes: Any) -> dict[str, str]:
    told = design_facts(resolve(BOUNDED, changes).to_dict(), SUMMARY)
    return {term: text.replace("\u00a0", " ") for term, text in told}


def test_unseen_scores_that_differ_are_told_by_arm_and_outcome() -> None:
    told = facts(
        **{"dropout.delta": {"qids_sr16": {"ketamine": 3}, "madrs": 2.5}},
        missing={"intermittent": {"share": {7: 0.1}, "model": "mnar", "delta": {"bsl23": -0.1}}},
    )
    assert told["Leaving the trial"].endswith(
        "scores of who left differ from those of like patients by, in points, QIDS-SR16 +3 under ketamine; MADRS +2.5 "
        "(not at random, delta)"
    )
    assert told["Missed visits"] == (
        "Of those still there 10 % on day 7; not at random, by the QIDS-SR16 score missed (hazard ratio 1.3 per SD "
        "worse); scores of missed visits differ from those of like patients by, in points, BSL-23 −0.1 (not at random, "
        "delta)"
    )


def test_without_a_delta_or_gaps_nothing_is_told_of_them() -> None:
    told = facts(**{"dropout.delta": {"qids_sr16": 0}})
    assert "delta" not in told["Leaving the trial"]
    assert "Missed visits" not in told


@pytest.mark.parametrize(
    ("changes", "model", "words"),
    [
        ({}, "mar", "Leaving depends on scores that were"),
        ({"dropout.delta": {"madrs": 1}}, "delta", "put in (missing not"),
    ],
)
def test_a_delta_is_a_limitation_of_its_own(changes: dict[str, Any], model: str, words: str) -> None:
    models = dropout_models(resolve(BOUNDED, changes).to_dict())
    assert models == [model]
    assert any(words in point for point in limitations(SUMMARY, [], dropout=models, bounded=False))


def test_what_is_simulated_is_not_said_to_be_left_out() -> None:
    plain = left_out(PLAIN)
    assert len(plain) == 5
    guessing = left_out(resolve(BOUNDED, {"unblinding": {}, "raters": {"number": 3}}).to_dict())
    assert set(plain) - set(guessing) == {
        "guesses of the arm (with what they make patients expect)",
        "raters who differ",
    }
    (told,) = (p for p in limitations(SUMMARY, [], dropout=[None], bounded=False, left_out=guessing) if "Not sim" in p)
    assert told.startswith(
        "Not simulated: groups of patients (such as sites), events after randomisation (such as rescue treatment) and "
        "effects that differ from patient to patient. What"
    )
    assert not any("Not sim" in point for point in limitations(SUMMARY, [], dropout=[None], bounded=False))


def test_the_error_of_a_power_is_in_percentage_points() -> None:
    told = limitations(SUMMARY.assign(power_mcse=0.01584), [], dropout=[None], bounded=False)[-1]
    assert told.endswith("the largest error of a power here is 1.58 percentage points.")


def test_infusions_are_told_by_arm_where_arms_differ() -> None:
    assert facts()["Infusions"] == "days 0, 3, 7 and 10"
    own = facts(**{"course.infusion_model": {}, "arms.ketamine.infusions": [0, 7]})["Infusions"]
    assert own == "midazolam: days 0, 3, 7 and 10; ketamine: days 0 and 7"
    none = facts(**{"arms.midazolam": {"infusion": "none"}})["Infusions"]
    assert none.endswith(": none; ketamine: days 0, 3, 7 and 10")
