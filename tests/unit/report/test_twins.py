"""Closed forms beside simulated power: the table of a run, the section of its report, and its file."""

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from trials import CONTINUOUS, resolve, write
from trialsim.kernels.montecarlo import wilson_interval
from trialsim.planning.twins import twin
from trialsim.report.twins import BOUND, TWINS_CAPTION, twin_rows, twin_table, warning_words

EFFECT = {
    "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]},
    "sample_size": [60, 100],
    "analysis.primary": [{"method": "mmrm"}, {"method": "multiple_imputation", "imputations": 2}, {"method": "t_test"}],
    "dropout": {"model": "mcar", "missing_by": {14: 0.2}},
}


def summary_of(resolved, *, shift=0.0, null=False):
    """A summary whose simulated power is the closed form's, and more by a shift."""
    variant = resolved.variants[0]
    estimand = variant.estimands[0]
    rows = []
    for cell, n in enumerate(variant.sample_sizes):
        for plan in estimand.analyses:
            found = twin(variant, estimand, plan, n)
            power = (found.power if found else 0.5) + shift
            interval = wilson_interval(round(1000 * min(max(power, 0.0), 1.0)), 1000)
            rows.append({
                "cell": cell, "variant": 0, "n": n, "estimand": "primary", "method": plan.name, "null": null,
                "power": power, "power_mcse": np.sqrt(power * (1 - power) / 1000), "true_value": -3.0,
                "power_low": interval.low, "power_high": interval.high, "converged": 990, "fell_back": 10,
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_every_hypothesis_with_a_closed_form_has_a_row():
    resolved = resolve(CONTINUOUS, EFFECT)
    table = twin_table(resolved.variants, resolved.hash, summary_of(resolved))
    assert list(zip(table["n"], table["method"], strict=True)) == [
        (n, method) for n in (60, 100) for method in ("mmrm", "t_test")
    ]
    np.testing.assert_allclose(table["difference"], 0.0, atol=1e-12)
    assert not table["differs"].any()


@pytest.mark.parametrize(("factor", "differs"), [(0.98, False), (1.02, True)])
def test_what_chance_does_not_explain_is_marked(factor, differs):
    """The bound is 4.9 Monte Carlo standard errors and the formula's own allowance."""
    resolved = resolve(CONTINUOUS, {**EFFECT, "sample_size": [60], "analysis.primary": [{"method": "t_test"}]})
    closed = twin_table(resolved.variants, resolved.hash, summary_of(resolved)).iloc[0]
    shift = (
        -(BOUND * np.sqrt(closed["closed_form"] * (1 - closed["closed_form"]) / 1000) + closed["allowance"]) * factor
    )
    summary = summary_of(resolved, shift=shift)
    summary["power_mcse"] = 0.0  # the closed form's own error counts then
    assert twin_table(resolved.variants, resolved.hash, summary)["differs"].tolist() == [differs]


def test_nothing_to_find_and_failed_fits_have_no_row():
    resolved = resolve(CONTINUOUS, EFFECT)
    assert len(twin_table(resolved.variants, resolved.hash, summary_of(resolved, null=True))) == 0
    failed = summary_of(resolved).assign(power=float("nan"))
    assert len(twin_table(resolved.variants, resolved.hash, failed)) == 0


def test_text():
    resolved = resolve(CONTINUOUS, EFFECT)
    summary = summary_of(resolved, shift=-0.3)
    twins = twin_table(resolved.variants, resolved.hash, summary)
    mmrm, t_test = twin_rows(twins, summary)
    assert mmrm.formulas == "MMRM with dropout, Lu, Luo & Chen, t"
    assert "as known" in mmrm.leaves_out
    assert t_test.leaves_out == ""
    assert mmrm.header == ("Patients randomised", "Simulated power, %", "Closed form, %", "Difference")
    assert [row[0] for row in mmrm.rows] == ["60", "100"]
    assert all(row[3] == "−30.0 (differs)" for row in mmrm.rows)


def test_where_all_trials_find_it_the_interval_stands_in_place_of_an_error_of_0():
    resolved = resolve(CONTINUOUS, EFFECT)
    summary = summary_of(resolved).assign(power=1.0, power_mcse=0.0, power_low=0.9924, power_high=1.0)
    mmrm, _ = twin_rows(twin_table(resolved.variants, resolved.hash, summary), summary)
    assert {row[1] for row in mmrm.rows} == {"100.0 (99.2 to 100.0)"}
    assert "in place of an error of 0" in TWINS_CAPTION


def test_warning():
    resolved = resolve(CONTINUOUS, EFFECT)
    agreeing = twin_table(resolved.variants, resolved.hash, summary_of(resolved))
    assert warning_words(agreeing) == ""
    twins = twin_table(resolved.variants, resolved.hash, summary_of(resolved, shift=-0.3))
    text = warning_words(twins, labels={"estimands.primary": "Score at day 14"})
    assert "in 4 of 4 comparisons" in text
    assert "most for Score at day 14 (" in text
    assert "as known" in text


def test_a_run_has_file_section_and_frame(tmp_path):
    path = write(tmp_path, CONTINUOUS, {**EFFECT, "simulation.replicates": 100})
    run = ts.run(path, out=tmp_path / "run", workers=1)
    twins = run.twins
    assert twins is not None
    assert len(twins) == 4
    assert twins["leaves_out"].notna().all()
    simulated = run.summary.set_index(["n", "method"])["power"]
    for row in twins.itertuples():
        assert row.power == simulated[(row.n, row.method)]
    page = run.report.read_text(encoding="utf-8")
    assert '<h2 id="twins-heading">Beside the closed form</h2>' in page
    assert "In the words of the clinic" in page
    again = (tmp_path / "run" / "figures" / "twins.csv").read_bytes()
    ts.run(path, out=tmp_path / "other", workers=1)
    assert (tmp_path / "other" / "figures" / "twins.csv").read_bytes() == again


def test_a_run_without_closed_forms_has_none(tmp_path):
    path = write(tmp_path, CONTINUOUS, {"simulation.replicates": 50, "sample_size": [40]})
    run = ts.run(path, out=tmp_path / "run", workers=1)
    assert run.twins is None
    assert "twins-heading" not in run.report.read_text(encoding="utf-8")
