"""Records refuse what contradicts itself; instruments grade their scores."""

from __future__ import annotations

import dataclasses

import pytest

from trialsim import evidence
from trialsim.evidence import Quantity


def quantity(**fields):
    base = {"name": "a.b", "value": 1.0, "unit": "points", "tag": "measured", "basis": "b", "citation": "a"}
    return Quantity(**base | fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"value": float("nan")}, "not finite"),
        ({"high": float("inf"), "low": 0.0, "spread_kind": "range"}, "not finite"),
        ({"tag": "guessed"}, "tag 'guessed' is none of measured, derived, assumed"),
        ({"low": 1.0, "spread_kind": "ci95"}, "both low and high"),
        ({"low": 2.0, "high": 1.0, "spread_kind": "ci95"}, "low is above high"),
        ({"low": -1.0, "high": 1.0}, "spread without its kind"),
        ({"spread": 1.0}, "spread without its kind"),
        ({"spread": 1.0, "spread_kind": "variance"}, "is none of sd, se"),
        ({"spread_kind": "sd"}, "sd without a spread"),
        ({"spread": 1.0, "spread_kind": "ci95"}, "ci95 without low and high"),
    ],
)
def test_contradictions_are_refused_by_name(fields, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        quantity(**fields)
    assert str(caught.value).startswith("evidence a.b: ")


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        quantity().value = 2.0


def test_a_standard_deviation_may_have_a_range_beside_it():
    assert quantity(spread=1.0, spread_kind="sd", low=0.5, high=2.0).spread == 1.0


def test_bsl23_grid_has_every_mean_of_23_items():
    scale = evidence.instrument("bsl23")
    assert (scale.maximum - scale.minimum) / scale.step == pytest.approx(92, abs=1e-12)
    assert scale.lower_is_better


def test_bsl23_keeps_both_published_sets_of_grades():
    scale = evidence.instrument("bsl23")
    assert scale.band(1.8).label == "moderate"
    assert scale.band(1.8, "abstract").label == "high"
    with pytest.raises(ValueError, match="no grades called 'other', only abstract"):
        scale.band(1.0, "other")


@pytest.mark.parametrize(
    ("score", "label"), [(0, "none"), (5, "none"), (6, "mild"), (20, "severe"), (27, "very severe")]
)
def test_qids_grades_at_their_edges(score, label):
    assert evidence.instrument("qids_sr16").band(score).label == label


def test_no_grade_off_the_scale_and_none_without_grades():
    with pytest.raises(ValueError, match="QIDS-SR16 runs from 0 to 27, not 28"):
        evidence.instrument("qids_sr16").band(28)
    assert evidence.instrument("sds").band(10) is None


def test_instruments_can_be_written_as_json_data():
    plain = dataclasses.asdict(evidence.instrument("bsl23"))
    assert plain["alternative_bands"][0]["key"] == "abstract"
