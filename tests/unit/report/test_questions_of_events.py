"""Who cannot have an event that waits for another, in words beside the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialsim.report.questions import not_at_risk_words
from trialsim.scenario import load, resolve

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ({}, "primary", "Patients who never respond cannot have relapse and count as free of it to the end."),
        ({}, "score", ""),
        ({"events.relapse.only_after": "leave_therapy"}, "primary", "Patients who never have leave_therapy cannot"),
    ],
)
def test_who_counts_as_free_of_an_event_without_having_been_at_risk(settings, name, said):
    resolved = resolve(load(SCENARIOS / "durability.yaml", settings=settings)).to_dict()
    told = not_at_risk_words(resolved, name)
    assert told.startswith(said) if said else not told
