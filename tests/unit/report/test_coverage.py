"""Intervals that hold the true value too seldom are told beside the power."""

import pandas as pd
import pytest

import trialsim as ts
from trialsim.report.coverage import coverage_notes
from trialsim.report.summary import Hypothesis

PRIMARY = Hypothesis("primary", "mmrm")
SOUND = {
    "cell": 0, "variant": 0, "n": 200, "estimand": "primary", "method": "mmrm", "alpha": 0.05, "true_value": -0.316,
    "coverage": 0.95, "coverage_mcse": 0.01, "bias": 0.001, "empirical_se": 0.14, "relative_error_model_se": -1.0,
}  # fmt: skip


def notes(*changes):
    return coverage_notes(pd.DataFrame([{**SOUND, **change} for change in changes]), PRIMARY)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"coverage": 0.935},  # short, and no more than small trials may be
        {"coverage": 0.90, "coverage_mcse": 0.02},  # short, and chance may have done it
        {"coverage": float("nan"), "coverage_mcse": float("nan")},  # a method without intervals
        {"estimand": "early", "coverage": 0.5},  # not the primary
    ],
)
def test_nothing_is_said_of_intervals_that_may_be_right(change):
    assert notes(SOUND, {**change, "n": 280}) == []


def test_the_worst_size_is_told_with_what_it_is_due_to():
    told = notes(
        {"coverage": 0.88, "bias": 0.087},
        {
            "n": 280,
            "cell": 1,
            "coverage": 0.856,
            "coverage_mcse": 0.016,
            "bias": 0.09,
            "relative_error_model_se": -12.2,
        },
    )
    assert [words.replace("\u00a0", " ") for words in told] == [
        "With 280 patients only 85.6 % (± 1.6) of the primary analysis's 95 % confidence intervals hold the true "
        "value: its power is that of an analysis that is off. Its estimates are off by 0.09 on average, where the true "
        "value is −0.316. Its standard errors are 12 % too small."
    ]


def test_a_cause_that_is_none_is_not_named():
    [told] = notes({"coverage": 0.85, "relative_error_model_se": -20.0})
    assert "off by" not in told
    assert told.endswith("Its standard errors are 20 % too small.")


def test_a_run_and_its_report_say_so(request, tmp_path):
    """Patients of one site are alike, and an analysis that does not know it has too small errors."""
    run = ts.run(
        request.config.rootpath / "scenarios" / "therapy_groups.yaml",
        out=tmp_path / "run",
        replicates=250,
        workers=1,
        settings={
            "analysis.primary": [{"method": "ancova"}],
            "sample_size": [200],
            "vary": {"clusters.skills_group.icc": [0.3]},
        },
        progress=False,
    )
    assert len(run.short_coverage) >= 1
    assert all("standard errors are" in words for words in run.short_coverage)
    assert run.short_coverage[-1].split(". ", 1)[-1][:40] in run.report.read_text(encoding="utf-8")
