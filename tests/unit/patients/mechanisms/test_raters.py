"""Raters' severity: whom it reaches, and whether it stays with a patient."""

import numpy as np
import pytest

from trials import BOUNDED, resolve
from trialsim.patients.model import build_patient_model
from trialsim.patients.trajectory import run_course
from trialsim.streams import Streams

REAL = {"outcomes": {name: {"scale": "continuous"} for name in ("qids_sr16", "madrs")}, "dropout": None}


def severity(raters, *, arm=0, n=40):
    """What raters add to the scores of the same people, shape (250, n, V, K)."""
    found = []
    for given in (raters, None):
        model = build_patient_model(resolve(BOUNDED, {**REAL, "raters": given}).variants[0])
        stratum = np.zeros((250, n), dtype=np.intp)
        found.append(run_course(model, Streams(4, 0), stratum, np.full_like(stratum, arm)).scores)
    return found[0] - found[1]


def test_a_patient_keeps_a_rater_who_is_as_severe_with_all():
    found = severity({"number": 4})
    np.testing.assert_array_equal(found[..., 0], 0.0)
    madrs = found[..., 1]
    np.testing.assert_allclose(madrs, madrs[..., [0]] + np.zeros(madrs.shape[2]), atol=1e-9)
    np.testing.assert_allclose(madrs[:, 4:8], madrs[:, :4], atol=1e-9)
    # 1,000 raters: a standard error of 2.2 %. MADRS has an SD of 11 and an agreement of 0.95.
    assert madrs[:, :4, 0].std() == pytest.approx(11 * np.sqrt(0.05 / 0.95), rel=4.9 / np.sqrt(2000))


def test_central_raters_change_from_visit_to_visit():
    found = severity({"number": 3, "central": True})[..., 1]
    for trial in found[:5]:
        assert len(np.unique(np.round(trial, 9))) == 3
    changes = np.abs(np.diff(found)) > 1e-6
    assert changes.mean() == pytest.approx(2 / 3, abs=4.9 * np.sqrt(2 / 9 / changes.size))


def test_the_arm_makes_no_difference():
    np.testing.assert_allclose(severity({"number": 4}, arm=1), severity({"number": 4}, arm=0), atol=1e-9)


def test_agreement_by_outcome():
    found = severity({"number": 2, "icc": {"madrs": 0.8}})
    np.testing.assert_array_equal(found[..., 0], 0.0)
    assert found[:, :2, 0, 1].std() == pytest.approx(11 * 0.5, rel=4.9 / np.sqrt(1000))
    np.testing.assert_array_equal(severity({"number": 2, "icc": {"madrs": 1.0}}), 0.0)
