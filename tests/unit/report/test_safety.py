"""Safety in words and tables: the rule, what was seen by arm, what stopping costs."""

from __future__ import annotations

import pandas as pd
import pytest

from trials import BOUNDED, resolve
from trialsim.engine.execute import execute
from trialsim.report.design import labels_of
from trialsim.report.safety import event_labels, safety_tables, stopping_tables, stopping_words

RULE = {"event": "suicide_attempts", "look_every": 5, "alpha": 0.05}
WATCHED = {
    "outcomes": {"qids_sr16": {}},
    "arms": {"midazolam": {"infusion": "midazolam", "label": "Midazolam"}, "ketamine": {"infusion": "ketamine"}},
    "safety": {
        "adverse_events": {"nausea": {"per_infusion": {"ketamine": 1.0, "midazolam": 0.0}, "label": "Feeling sick"}},
        "suicide_attempts": {"rate_per_year": 10, "rate_ratio": {"ketamine": 3}},
        "stopping_rule": RULE,
    },
    "vary": {"safety.stopping_rule.alpha": [0.05, 0.2]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The resolved scenario as the report has it, and both files."""
    folder = tmp_path_factory.mktemp("report") / "run"
    resolved = resolve(BOUNDED, WATCHED)
    execute(resolved, folder, replicates=250, workers=1)
    return resolved.to_dict(), pd.read_parquet(folder / "safety.parquet"), pd.read_parquet(folder / "stopping.parquet")


def test_what_was_seen_at_the_largest_size(run):
    resolved, safety, _ = run
    first, second = safety_tables(safety, resolved, labels_of(resolved))
    assert (first.n, first.arms) == (60, ("Midazolam", "ketamine"))
    assert "0.05" in first.setting
    assert "0.2" in second.setting
    assert first.rows == second.rows  # what is seen does not depend on when it is looked
    nausea, attempts = first.rows
    assert nausea.label == "Feeling sick"
    assert nausea.patients[0] == "0.0 ± 0.0"
    assert nausea.rates == ("0.0 ± 0.0 per 100 infusions", "100.0 ± 0.0 per 100 infusions")
    row = safety[(safety["event"] == "suicide_attempts") & (safety["n"] == 60) & (safety["arm"] == "ketamine")].iloc[0]
    assert attempts.events[1] == f"{row['mean_events']:.2f} ± {row['mean_events_mcse']:.2f}"
    assert attempts.rates[1] == f"{100 * row['rate']:.1f} ± {100 * row['rate_mcse']:.1f} per 100 person-years"


def test_what_stopping_costs(run):
    resolved, _, stopping = run
    strict, loose = stopping_tables(stopping, labels_of(resolved))
    assert strict.sizes == (40, 60)
    labels = [label for label, _ in strict.rows]
    assert labels[:4] == [
        "Looks before the end", "Trials stopped, %", "Patients when stopped", "Patients on average, stopped or not",
    ]  # fmt: skip
    assert labels[4].endswith("as if none were stopped")
    assert labels[5].endswith("with stops")
    assert dict(strict.rows)["Looks before the end"] == ("7", "11")
    own = stopping[(stopping["variant"] == 1) & (stopping["n"] == 60)].iloc[0]
    assert dict(loose.rows)["Trials stopped, %"][1] == (
        f"{100 * own['share_stopped']:.1f} ± {100 * own['share_stopped_mcse']:.1f}"
    )
    assert float(dict(loose.rows)["Trials stopped, %"][1].split()[0]) > float(
        dict(strict.rows)["Trials stopped, %"][1].split()[0]
    )


def test_no_trial_stopped_is_a_dash(run):
    resolved, _, stopping = run
    none = stopping.assign(mean_n_at_stop=float("nan"), mean_n_at_stop_mcse=float("nan"))
    table = stopping_tables(none, labels_of(resolved))[0]
    assert dict(table.rows)["Patients when stopped"] == ("–", "–")


def test_the_rule_in_words(run):
    resolved, _, _ = run
    strict, loose = stopping_words(resolved, labels_of(resolved))
    assert strict == (
        "After 5, 10, 15, 20, …, 55 patients have completed, suicide attempts under ketamine and under Midazolam are "
        "compared (conditional test of two Poisson rates, by days followed). The trial stops for an excess under "
        "ketamine with a one-sided p of at most 5\xa0%."
    )
    assert "20\xa0%" in loose
    assert event_labels(resolved) == {"nausea": "Feeling sick", "suicide_attempts": "suicide attempts"}


def test_nothing_is_said_of_what_is_not_there():
    plain = resolve(BOUNDED).to_dict()
    assert stopping_words(plain, {}) == []
    assert event_labels(plain) == {}
    by_infusion = resolve(BOUNDED, {"safety": {"stopping_rule": {"event": "nausea", "looks": [10, 20]}}}).to_dict()
    (words,) = stopping_words(by_infusion, labels_of(by_infusion))
    assert words.startswith("After 10 and 20 patients have completed, nausea under")
    assert "by infusions given" in words
