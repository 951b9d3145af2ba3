"""Points that are added to unseen scores, and shares that are part of others: what cannot be is refused."""

from __future__ import annotations

import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.errors import InputError

GAPS = {"model": "mar", "share": 0.05, "delta": {"qids_sr16": -27.5}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"dropout.delta": {"qids_sr16": 60}},
            r"delta\.qids_sr16: 60 points cannot be: the scale, from 0 to 27",
        ),
        ({"dropout.delta": {"qids_sr16": {"ketamine": -28}}}, r"dropout\.delta\.qids_sr16\.ketamine: -28 points"),
        ({"missing": {"intermittent": GAPS}}, r"missing\.intermittent\.delta\.qids_sr16: -27\.5 points cannot be"),
        (
            {"dropout": {"missing_by": {14: 0.01}, "never_starts": 0.03}},
            r"never_starts: must be at most .* 0\.01",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        resolve(BOUNDED, changes)


def test_a_whole_scale_is_the_most_that_scores_can_lie_apart():
    assert resolve(BOUNDED, {"dropout.delta": {"qids_sr16": 27}}).variants[0].dropout.delta.max() == 27.0
    assert resolve(CONTINUOUS, {"dropout.delta": {"score": 60}}).variants[0].dropout.delta.max() == 60.0
