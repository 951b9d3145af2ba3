"""What is watched: sums over what was seen, the test of an excess, the looks, and the files of a run."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from trials import BOUNDED, resolve
from trialsim.engine.block import compute_block, draw_block
from trialsim.engine.execute import execute
from trialsim.engine.safety import excess_p, safety_block, stopping
from trialsim.engine.safety_files import DAYS_PER_YEAR
from trialsim.patients.mechanisms.safety import ADVERSE_EVENTS
from trialsim.scenario.resolved_safety import StoppingRule
from trialsim.streams import Streams

SAFETY = {
    "adverse_events": {"nausea": None, "fall": {"per_day": 0.05}},
    "suicide_attempts": {"rate_per_year": 20, "rate_ratio": {"ketamine": 2}},
    "stopping_rule": {"event": "suicide_attempts", "look_every": 20, "alpha": 0.1},
}
WATCHED = {
    "outcomes": {"qids_sr16": {}},
    "dropout.missing_by": {14: 0.4},
    "missing": {"intermittent": {"share": 0.1}},
    "events": {"hospitalisation": {"per_day": 0.02}},
    "counts": {"self_harm": {"rate_per_year": 12}},
    "safety": SAFETY,
}


@pytest.fixture(scope="module")
def drawn():
    resolved = resolve(BOUNDED, WATCHED)
    variant = resolved.variants[0]
    cohort = draw_block(variant, resolved.hash, Streams(resolved.seed, 0), 60)
    return resolved, variant, cohort, safety_block(variant, cohort)


def by_loops(variant, cohort, r, n):
    """Events (W, A), patients (W, A), infusions, days and randomised (A,) of one trial, patient by patient."""
    events, patients = np.zeros((5, 2)), np.zeros((5, 2))
    totals = np.zeros((3, 2))
    for i in range(n):
        a = cohort.arm[r, i]
        last = cohort.left[r, i]  # visits before leaving, seen or missed
        own = np.zeros(5)
        for e in range(2):
            if cohort.started[r, i]:
                own[e] = cohort.records[ADVERSE_EVENTS][r, i, : last + 1, e].sum()
        own[2:4] = cohort.counts[r, i, :last].sum(axis=0)
        own[4] = cohort.event_visit["hospitalisation"][r, i] < 3 and cohort.event_visit["hospitalisation"][r, i] <= last
        events[:, a] += own
        patients[:, a] += own > 0
        totals[:, a] += cohort.infusions[r, i], [0.0, 3.0, 7.0, 14.0][last], 1
    return events, patients, *totals


def test_days_at_risk_end_at_what_happens_once(drawn):
    _, variant, cohort, blocks = drawn
    block, w = blocks[-1], [one.name for one in variant.safety.watched].index("hospitalisation")
    days = np.zeros(2)
    ended = 0
    for i in range(block.n):
        last = cohort.left[0, i]
        happened = (
            cohort.event_visit["hospitalisation"][0, i] < 3 and cohort.event_visit["hospitalisation"][0, i] <= last
        )
        # An event is seen up to the first visit after leaving.
        day = cohort.event_day["hospitalisation"][0, i] if happened else [3.0, 7.0, 14.0, 14.0][last]
        days[cohort.arm[0, i]] += day
        ended += happened
    assert ended > 0
    np.testing.assert_allclose(block.at_risk[0, w], days)
    np.testing.assert_array_equal(block.at_risk[:, 0], block.days)


def test_sums_are_those_of_what_was_seen(drawn):
    _, variant, cohort, blocks = drawn
    assert [one.name for one in variant.safety.watched] == [
        "nausea", "fall", "self_harm", "suicide_attempts", "hospitalisation",
    ]  # fmt: skip
    assert [block.n for block in blocks] == [40, 60]
    for block in blocks:
        for r in range(0, 250, 25):
            found = (block.events, block.patients, block.infusions, block.days, block.randomised)
            for sums, expected in zip(found, by_loops(variant, cohort, r, block.n), strict=True):
                np.testing.assert_allclose(sums[r], expected, rtol=1e-12)


def test_an_excess_is_a_binomial_tail():
    rng = np.random.default_rng(1)
    events, exposure = rng.poisson(3.0, (200, 3)).astype(float), rng.uniform(1.0, 4.0, (200, 3))
    share = exposure[:, 2] / (exposure[:, 2] + exposure[:, 0])
    expected = binom.sf(events[:, 2] - 1, events[:, 2] + events[:, 0], share)
    np.testing.assert_allclose(excess_p(events, exposure, 2, 0), expected, rtol=1e-10)
    nobody = np.array([[0.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(excess_p(nobody, np.zeros((2, 2)), 1, 0), [1.0, 1.0])


def test_the_first_look_with_an_excess_stops_and_the_last_patient_stops_nothing():
    rule = StoppingRule(0, 1, 0, (10, 20, 30), 0.05)
    # After 10, 20 and 30 patients: 5 events against none have p = 1 / 32.
    events = np.array([[[0, 0], [0, 5], [0, 9]], [[0, 5], [5, 5], [5, 5]], [[0, 4], [0, 4], [0, 4]]], dtype=float)
    exposure = np.ones((3, 3, 2))
    np.testing.assert_array_equal(stopping(rule, (10, 20, 30), events, exposure, 40), [20, 10, 0])
    np.testing.assert_array_equal(stopping(rule, (10, 20, 30), events, exposure, 20), [0, 10, 0])
    np.testing.assert_array_equal(stopping(rule, (10, 20, 30), events, exposure, 10), [0, 0, 0])


def test_a_smaller_trial_stops_as_the_beginning_of_a_larger_one(drawn):
    small, large = drawn[3]
    at_20 = large.stopped_at == 20
    assert 0 < at_20.sum() < 250
    np.testing.assert_array_equal(small.stopped_at == 20, at_20)
    assert set(np.unique(large.stopped_at)) == {0, 20, 40}
    assert set(np.unique(small.stopped_at)) == {0, 20}


def test_what_is_watched_changes_no_estimate(drawn):
    resolved, variant, _, _ = drawn
    plain = resolve(BOUNDED, {**WATCHED, "safety": None})
    for one, other in zip(
        compute_block(variant, resolved.hash, 11, 0),
        compute_block(plain.variants[0], plain.hash, 11, 0),
        strict=True,
    ):
        np.testing.assert_array_equal(one.estimates.estimate, other.estimates.estimate)


def test_nothing_is_watched_without_safety(drawn):
    plain = resolve(BOUNDED)
    with pytest.raises(ValueError, match="nothing is watched"):
        safety_block(plain.variants[0], drawn[2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, drawn):
    """A run of 300 replicates, two blocks."""
    path = tmp_path_factory.mktemp("safety") / "run"
    execute(drawn[0], path, replicates=300, workers=1)
    return path


def test_the_safety_file_sums_up_the_replicates(folder, drawn):
    resolved, variant, _, blocks = drawn
    rows = pd.read_parquet(folder / "safety.parquet")
    assert len(rows) == 2 * 5 * 2  # sizes, events, arms
    second = safety_block(variant, draw_block(variant, resolved.hash, Streams(resolved.seed, 1), 60))
    for position, n in enumerate((40, 60)):
        events, days, infusions = (
            np.concatenate([getattr(blocks[position], name), getattr(second[position], name)[:50]])
            for name in ("events", "days", "infusions")
        )
        own = rows[(rows["n"] == n) & (rows["arm"] == "ketamine")].set_index("event")
        np.testing.assert_allclose(own["mean_events"], events[:, :, 1].mean(axis=0), rtol=1e-12)
        attempts, years = events[:, 3, 1], days[:, 1] / DAYS_PER_YEAR
        assert own.loc["suicide_attempts", "rate"] == pytest.approx(attempts.sum() / years.sum(), rel=1e-12)
        left = attempts - own.loc["suicide_attempts", "rate"] * years
        assert own.loc["suicide_attempts", "rate_mcse"] == pytest.approx(
            left.std(ddof=1) / np.sqrt(300) / years.mean(), rel=1e-12
        )
        assert own.loc["nausea", "rate"] == pytest.approx(events[:, 0, 1].sum() / infusions[:, 1].sum(), rel=1e-12)
        assert list(own["exposure_unit"]) == ["infusions", *["person-years"] * 4]


def test_power_with_stops_counts_stopped_trials_as_failures(folder, drawn):
    resolved, variant, _, blocks = drawn
    rows = pd.read_parquet(folder / "stopping.parquet").set_index("n")
    summary = pd.read_parquet(folder / "summary.parquet").set_index("n")
    estimates = pd.read_parquet(folder / "estimates.parquet")
    second = safety_block(variant, draw_block(variant, resolved.hash, Streams(resolved.seed, 1), 60))
    for position, n in enumerate((40, 60)):
        stopped = np.concatenate([blocks[position].stopped_at, second[position].stopped_at[:50]])
        own = estimates[estimates["n"] == n].sort_values("replicate")
        found = (own["p"] <= 0.05) & (own["estimate"] < 0)
        assert rows.loc[n, "share_stopped"] == np.mean(stopped > 0)
        assert rows.loc[n, "mean_n_at_stop"] == pytest.approx(stopped[stopped > 0].mean())
        assert rows.loc[n, "expected_n"] == pytest.approx(np.where(stopped > 0, stopped, n).mean())
        assert rows.loc[n, "power"] == summary.loc[n, "power"] == found.mean()
        assert rows.loc[n, "power_with_stops"] == (found.to_numpy() & (stopped == 0)).mean()
    assert (rows["power_with_stops"] < rows["power"]).all()
    assert list(rows["looks"]) == [1, 2]


def test_a_scenario_without_safety_has_no_such_files(tmp_path):
    execute(resolve(BOUNDED, {"outcomes": {"qids_sr16": {}}}), tmp_path / "run", replicates=250, workers=1)
    names = {path.name for path in (tmp_path / "run").rglob("*")}
    assert not any("safety" in name or "stopping" in name for name in names)
