"""How trials are run, tied to their statistics: nothing changes where nothing is short, and what does where it is."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.analysis.contract import FAILED
from trialsim.engine.block import analyse_block, blinded, compute_block, draw_block, draw_blocks
from trialsim.engine.execute import execute
from trialsim.engine.inspection import flow, inspect
from trialsim.engine.opening import open_folder
from trialsim.engine.operations import delivery_of, operate
from trialsim.engine.operations_block import operations_block
from trialsim.engine.operations_files import closed_forms, read_operations
from trialsim.engine.operations_runs import operational_summary, run_operations
from trialsim.engine.reproduce import reproduce
from trialsim.engine.safety import safety_block
from trialsim.errors import RefusedError
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH
from trialsim.streams import Streams

QIDS = {"outcomes": {"qids_sr16": {}}, "course": {"infusion_model": {}}, "sample_size": [12, 20]}
PLENTY = {"sites": {"number": 3, "rate_per_month": 2}}
CROWDED = {
    "sites": {"number": 2, "rate_per_month": 6, "chairs": 1},
    "clinic": {"weekdays": ["monday", "thursday"], "hours": 3, "late_days": 3},
    "visits": {"weekdays": ["wednesday", "thursday"], "late_days": 2},
    "recruitment": {"until_month": 1.5},
}


@pytest.fixture(scope="module")
def crowded():
    resolved = resolve(BOUNDED, QIDS | {"operations": CROWDED, "clusters": {"site": {"made_by": "sites", "icc": 0.05}}})
    variant = resolved.variants[0]
    return resolved, variant, list(draw_blocks(variant, resolved.hash, Streams(resolved.seed, 0)))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"clusters": {"ward": {"number": 2, "icc": 0.03}}, "missing": {"intermittent": {"share": 0.1}}},
        {"events": {"stop_infusions": None}, "estimands.primary.analysis_set": "per_protocol"},
    ],
)
def test_where_nothing_is_short_the_statistics_are_those_without_operations_bit_for_bit(more):
    plain = resolve(BOUNDED, QIDS | more)
    run = resolve(BOUNDED, QIDS | more | {"operations": PLENTY})
    assert run.hash != plain.hash
    pairs = zip(
        compute_block(run.variants[0], run.hash, 11, 0),
        compute_block(plain.variants[0], plain.hash, 11, 0),
        strict=True,
    )
    for ours, theirs in pairs:
        for field in ("estimate", "se", "df", "p", "low", "high", "status", "n_analysed"):
            np.testing.assert_array_equal(getattr(ours.estimates, field), getattr(theirs.estimates, field))
        np.testing.assert_array_equal(ours.share_missing, theirs.share_missing)


def test_patients_keep_stratum_arm_and_baseline_where_places_are_few(crowded):
    resolved, variant, drawn = crowded
    plain = draw_block(replace(variant, operations=None), "plain", Streams(resolved.seed, 0), 20)
    for block, n in zip(drawn, (12, 20), strict=True):
        cohort = block.cohort
        for field in ("stratum", "arm", "baseline"):
            np.testing.assert_array_equal(getattr(cohort, field), getattr(plain, field)[:, :n])


def test_a_trial_that_ends_recruitment_has_the_patients_it_reached(crowded):
    _, variant, drawn = crowded
    reached = drawn[1].outcomes[0].enrolment.n_reached
    assert 0 < np.mean(reached < 20) < 1
    cohort = drawn[1].cohort
    cells = analyse_block(drawn[1].variant, cohort)
    np.testing.assert_array_equal(cohort.enrolled.sum(axis=1), reached)
    assert not cohort.present[~cohort.enrolled].any()
    assert not blinded(variant, cohort).included[~cohort.enrolled].any()
    seen = cohort.present.any(axis=2).sum(axis=1)
    usable = cells[0].estimates.status != FAILED
    np.testing.assert_array_equal(cells[0].estimates.n_analysed[usable], seen[usable])
    missing = 1.0 - cohort.present[:, :, -1].sum(axis=1) / np.maximum(reached, 1)
    np.testing.assert_allclose(cells[0].share_missing, missing, rtol=0, atol=1e-15)


def test_patients_are_given_what_the_clinic_gave(crowded):
    _, variant, drawn = crowded
    block = drawn[1]
    outcome, cohort = block.outcomes[0], block.cohort
    delivery = delivery_of(variant, outcome)
    given = np.isfinite(outcome.infusion_day)
    assert outcome.infusion_missed.any() or (outcome.infusion_late_days > 0).any()
    own = outcome.infusion_day - outcome.start_day[..., None]
    np.testing.assert_allclose(delivery.infusion_day[given], own[given])
    assert np.isinf(delivery.infusion_day[~given]).all()
    assert (cohort.infusions <= given.sum(axis=2)).all()
    assert not (cohort.present & np.isnan(outcome.visit_day)).any()
    np.testing.assert_array_equal(cohort.groups["site"], outcome.enrolment.site)


def test_only_patients_who_were_not_treated_as_planned_fare_otherwise():
    resolved = resolve(BOUNDED, QIDS | {"operations": CROWDED, "sample_size": [20]})
    variant = resolved.variants[0]
    (drawn,) = draw_blocks(variant, resolved.hash, Streams(11, 0))
    plain = draw_block(replace(variant, operations=None), "planned", Streams(11, 0), 20)
    outcome, cohort = drawn.outcomes[0], drawn.cohort
    ketamine = cohort.arm == 1
    on_time = (outcome.infusion_late_days == 0).all(axis=2)
    change = cohort.scores[..., 0] - plain.scores[..., 0]
    assert not change[~ketamine].any()
    assert not change[ketamine & on_time].any()
    # Scores are whole points, so that a small loss does not show in everybody.
    assert change[ketamine & ~on_time & cohort.enrolled].any(axis=1).mean() > 0.05


def test_numbers_of_a_block_add_up(crowded):
    _, variant, drawn = crowded
    kept = operations_block(variant, drawn[1].outcomes[0])
    numbers, series = kept.numbers, kept.series
    np.testing.assert_array_equal(
        numbers["assessed"],
        sum(numbers[name] for name in ("not_eligible", "declined", "screen_failed", "run_in_failed", "turned_away"))
        + numbers["in_screening_at_close"]
        + numbers["randomised"],
    )
    np.testing.assert_array_equal(
        numbers["randomised"], numbers["randomised_midazolam"] + numbers["randomised_ketamine"]
    )
    strata = [numbers[f"stratum_{name}_randomised"] for name in variant.strata]
    np.testing.assert_array_equal(numbers["randomised"], sum(strata))
    for s, counts in enumerate(strata):
        own = drawn[1].cohort.enrolled & (drawn[1].cohort.stratum == s)
        np.testing.assert_array_equal(counts, own.sum(axis=1))
    np.testing.assert_array_equal(numbers["recruited"], numbers["randomised"] == 20)
    np.testing.assert_array_equal(
        series["randomised"], series["waiting"] + series["in_trial"] + series["finished"] + series["left"]
    )
    np.testing.assert_array_equal(series["randomised"][:, -1], numbers["randomised"])
    costs = [numbers[f"cost_{name}_usd"] for name in ("fixed", "month", "site", "site_month", "screen", "infusion")]
    total = sum(costs) + numbers["cost_session_usd"] + numbers["cost_visit_usd"]
    np.testing.assert_allclose(numbers["cost_total_usd"], total, rtol=1e-12)
    assert ((series["use_chairs"] <= 1.0) | np.isnan(series["use_chairs"])).all()
    last = drawn[1].outcomes[0].last_visit_day / DAYS_PER_MONTH
    np.testing.assert_array_equal(numbers["months_to_last_visit"], last)


def test_whom_safety_counts_are_those_enrolled():
    changes = QIDS | {"operations": CROWDED, "safety": {}, "sample_size": [20]}
    resolved = resolve(BOUNDED, changes)
    variant = resolved.variants[0]
    (drawn,) = draw_blocks(variant, resolved.hash, Streams(resolved.seed, 0))
    (block,) = safety_block(variant, drawn.cohort)
    np.testing.assert_array_equal(block.randomised.sum(axis=1), drawn.outcomes[0].enrolment.n_reached)


def test_therapy_groups_are_the_clusters_and_begin_late():
    resolved = resolve(
        CONTINUOUS,
        {
            "course": {"control_change": {"score": -4.0}, "timing": {"14": 0.2, "84": 1}},
            "schedule": {"visits": [14, 84]},
            "estimands.primary.visit": 84,
            "arms": {"control": {}, "active": {"therapy": "dbt"}},
            "therapies": {"dbt": {"weeks": 8, "effects": {"score": {"points": -3.0}}}},
            "clusters": {"group": {"made_by": "therapy_groups", "icc": 0.05}},
            "analysis": {"primary": [{"method": "nested", "group": "group"}, {"method": "ancova"}]},
            "sample_size": [24],
            "operations": {"sites": {"number": 1, "rate_per_month": 8}, "therapy": {"size": 4, "start_size": 4}},
        },
    )
    variant = resolved.variants[0]
    (drawn,) = draw_blocks(variant, resolved.hash, Streams(5, 0))
    outcome, cohort = drawn.outcomes[0], drawn.cohort
    np.testing.assert_array_equal(cohort.groups["group"], np.where(cohort.arm == 1, outcome.group, -1))
    delay = delivery_of(variant, outcome).therapy_delay_days
    waits = outcome.therapy_wait_days[cohort.arm == 1]
    np.testing.assert_array_equal(delay[cohort.arm == 1], np.where(np.isnan(waits), np.inf, waits))
    assert delay.max() > 0
    assert not delay[cohort.arm == 0].any()
    estimates = compute_block(variant, resolved.hash, 5, 0)[0].estimates
    assert (estimates.status != FAILED).mean() > 0.95


def test_quotas_are_kept_and_change_who_comes():
    quotas = {"quotas": {"bpd": 5}, "until_month": 60}
    resolved = resolve(BOUNDED, QIDS | {"sample_size": [20], "operations": PLENTY | {"recruitment": quotas}})
    cohort = draw_block(resolved.variants[0], resolved.hash, Streams(11, 0), 20)
    assert (cohort.stratum == 0).sum(axis=1).max() == 5
    assert cohort.enrolled is None or cohort.enrolled.all()


def test_a_run_keeps_what_its_trials_were_like(tmp_path):
    resolved = resolve(BOUNDED, QIDS | {"operations": CROWDED, "simulation.replicates": 30})
    execute(resolved, tmp_path / "run", replicates=30, workers=1)
    trials = pd.read_parquet(tmp_path / "run" / "operations.parquet")
    assert len(trials) == 60
    assert list(trials["replicate"][:30]) == list(range(30))
    summary = pd.read_csv(tmp_path / "run" / "operations_summary.csv").set_index(["n", "measure"])
    own = trials[trials["n"] == 20]
    assert summary.loc[(20, "randomised"), "value"] == pytest.approx(own["randomised"].mean())
    assert summary.loc[(20, "randomised"), "mcse"] == pytest.approx(own["randomised"].std() / np.sqrt(30))
    full = summary.loc[(20, "recruited")]
    assert full["low"] < full["value"] < full["high"]
    calendar = pd.read_parquet(tmp_path / "run" / "operations_calendar.parquet")
    assert set(calendar["series"]) >= {"open_sites", "randomised", "information", "use_chairs"}
    waits = pd.read_parquet(tmp_path / "run" / "operations_waits.parquet")
    assert (waits.groupby("n")["mean"].max() <= 1.0).all()
    # What a comparison of designs takes is the same, without a run.
    found = operational_summary(resolved.variants[0], resolved.seed, 30)
    for n in (12, 20):
        for measure, told in (("months_to_last_visit", found[n].months), ("cost_total_usd", found[n].cost_usd)):
            assert summary.loc[(n, measure), "value"] == pytest.approx(told.value, abs=1e-8)
            assert summary.loc[(n, measure), "mcse"] == pytest.approx(told.mcse, abs=1e-8)
    np.testing.assert_allclose(found[20].months_of_trials, own["months_to_last_visit"], atol=1e-8)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["scenario"]["variants"][0]["operations"]


def test_the_same_numbers_whatever_the_number_of_workers():
    variant = resolve(BOUNDED, QIDS | {"operations": CROWDED, "sample_size": [8]}).variants[0]
    one, two = (run_operations(variant, 11, 260, workers=workers) for workers in (1, 2))
    for ours, theirs in zip(one, two, strict=True):
        assert ours.n == theirs.n
        for name, values in ours.numbers.items():
            assert len(values) == 260
            np.testing.assert_array_equal(values, theirs.numbers[name])


def test_without_operations_there_are_none():
    variant = resolve(BOUNDED, QIDS).variants[0]
    assert operational_summary(variant, 11, 10) is None
    with pytest.raises(ValueError, match="says nothing of operations"):
        operate(variant, Streams(11, 0), 20)


def test_without_operations_simpy_is_not_loaded(request):
    code = (
        "import sys; from trials import BOUNDED, resolve; from trialsim.engine.block import compute_block;"
        "import trialsim.engine.execute; r = resolve(BOUNDED);"
        "compute_block(r.variants[0], r.hash, 1, 0); assert 'simpy' not in sys.modules"
    )
    folder = str(request.config.rootpath / "tests")
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": folder}, check=True)


def test_default_accrual_needs_about_28_months_for_200_patients_at_six_sites():
    variant = resolve(BOUNDED, QIDS | {"operations": {"sites": {"number": 6}}, "sample_size": [200]}).variants[0]
    variant = replace(variant, infusion_days=((), ()), operations=replace(variant.operations, infusion_days=((), ())))
    (found,) = run_operations(variant, 3, 250)
    for measure, known in closed_forms(variant.operations, 200).items():
        error = np.sqrt(known * (1 - known) / 250)
        assert abs(found.numbers[measure].mean() - known) <= 4.9 * error + 0.001, measure
    months = found.numbers["months_to_recruit"]
    # 200 / (6 x 1.2) = 27.8 months at the mean rate; sites differ, so that the mean is 24 / 23 of it.
    bound = 4.9 * months.std() / np.sqrt(250)
    assert abs(months.mean() - 200 / 7.2 * 24 / 23) < bound
    assert abs(np.median(months) - 28.0) < 1.25 * bound


def test_variants_with_and_without_limits_or_operations_share_their_files(tmp_path):
    crowd = {"sites": {"number": 2, "rate_per_month": 6, "chairs": 1}}
    changes = QIDS | {"operations": PLENTY, "sample_size": [8], "vary": {"operations": [PLENTY, crowd, None]}}
    resolved = resolve(BOUNDED, changes | {"simulation.replicates": 5})
    execute(resolved, tmp_path / "run", replicates=5, workers=1)
    trials = pd.read_parquet(tmp_path / "run" / "operations.parquet")
    assert list(trials["variant"]) == [0] * 5 + [1] * 5
    assert trials["use_chairs"].isna().tolist() == [True] * 5 + [False] * 5
    assert json.loads(trials["operations"][5]) == crowd
    summary = pd.read_parquet(tmp_path / "run" / "operations_summary.parquet")
    assert sorted(summary["variant"].unique()) == [0, 1]


def test_a_run_with_operations_is_looked_into_mended_and_had_again(tmp_path):
    running = CROWDED | {"recruitment": {"until_month": 0.8}}
    resolved, folder = resolve(BOUNDED, QIDS | {"operations": running, "sample_size": [6, 10]}), tmp_path / "run"
    execute(resolved, folder, replicates=251, workers=1)
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("run.")]
    written = {path: path.read_bytes() for path in files}
    one = pd.read_parquet(folder / "operations.parquet").query("n == 10 and randomised < 10").iloc[0]
    trial, n_reached = inspect(open_folder(folder), replicate=int(one["replicate"]), cell=1), int(one["randomised"])
    assert trial.as_stored is True
    assert [row.patients for row in flow(trial) if row.stage == "randomised"] == [n_reached]
    assert len(trial.cohort.arm[0]) == n_reached
    assert reproduce(open_folder(folder)).same
    # As after a kill between two files of a block.
    (part,) = (folder / "parts").glob("operations_*_block000001_*")
    part.unlink()
    (folder / "operations.parquet").unlink()
    assert execute(resolved, folder, replicates=251, workers=1).units_computed == 1
    assert {path: path.read_bytes() for path in written} == written


@pytest.mark.parametrize("content", [b"", b"PK", "other", "huge"])
def test_a_strange_part_of_operations_is_refused(tmp_path, content):
    variant = resolve(BOUNDED, QIDS | {"operations": CROWDED}).variants[0]
    path = tmp_path / "operations_variant0000_block000000_x.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        size = 10_000_000 if content == "huge" else 3
        np.savez_compressed(path, **{"12/numbers/randomised": np.zeros((size, 3))})
    with pytest.raises(RefusedError, match="is not what trialsim writes there"):
        read_operations([path], variant, 12, 10)
