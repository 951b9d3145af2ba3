"""A real Dask scheduler with real workers on loopback: the same results, also when workers are killed."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from mortal import Unit, fails, runs_out_of_memory, square, task, threads
from schedulers import TESTS, Cluster
from trialsim.engine.backends import run_on_cluster
from trialsim.engine.backends.cluster import on_worker
from trialsim.engine.backends.fingerprint import fingerprint
from trialsim.errors import InputError, RefusedError, RunError

NUMBERS = range(12)
SQUARES = [number**2 for number in NUMBERS]


def units(tmp_path, kills, seconds=0.0):
    """Twelve units, some of which kill."""
    return [Unit(number, kills.get(number, 0), str(tmp_path), seconds) for number in NUMBERS]


def test_every_unit_comes_back_once(cluster, tmp_path):
    assert sorted(run_on_cluster(square, units(tmp_path, {}), cluster.address)) == SQUARES


def test_linear_algebra_has_one_thread(cluster, tmp_path):
    assert all(of_one == [1] * len(of_one) for of_one in run_on_cluster(threads, units(tmp_path, {}), cluster.address))


def test_what_a_killed_worker_computed_is_computed_again(cluster, tmp_path):
    assert sorted(run_on_cluster(square, units(tmp_path, {5: 1}), cluster.address)) == SQUARES


def test_a_unit_that_kills_every_worker_is_named(cluster, tmp_path):
    with pytest.raises(RunError, match=r"computes number 7 dies, also when .* memory does not suffice"):
        list(run_on_cluster(square, units(tmp_path, {7: 99}), cluster.address))
    assert int((tmp_path / "7").read_text()) in (3, 6)  # alone, and before that in company if it had any


def test_a_unit_that_killed_others_of_its_batch_with_it_is_tried_alone(cluster, tmp_path):
    # It kills three times in a batch, which is as often as this scheduler lets a task do so, and once alone.
    many = [Unit(number, 4 if number == 150 else 0, str(tmp_path)) for number in range(200)]
    assert sorted(run_on_cluster(square, many, cluster.address)) == [number**2 for number in range(200)]
    assert (tmp_path / "150").read_text() == "4"


def test_memory_that_does_not_suffice_in_company_may_do_so_alone(cluster, tmp_path):
    assert sorted(run_on_cluster(runs_out_of_memory, units(tmp_path, {5: 1}), cluster.address)) == SQUARES


def test_short_units_are_handed_out_many_at_once_and_the_last_ones_alone(cluster):
    tasks = Counter(run_on_cluster(task, [Unit(number, seconds=0.01) for number in range(400)], cluster.address))
    assert len(tasks) < 100
    assert (
        10 < max(tasks.values()) <= 200
    )  # of what is left no more than half, also where one worker alone is known yet
    assert min(tasks.values()) == 1


def test_long_units_are_handed_out_alone(cluster):
    tasks = Counter(run_on_cluster(task, [Unit(number, seconds=1.01) for number in range(6)], cluster.address))
    assert max(tasks.values()) == 1


def test_other_errors_are_passed_on(cluster, tmp_path):
    with pytest.raises(ValueError, match="no good"):
        list(run_on_cluster(fails, units(tmp_path, {}), cluster.address))


def test_a_worker_killed_in_the_middle_and_one_that_joins(cluster, tmp_path):
    with Cluster() as other:
        first = other.add_worker("--no-nanny")
        told, found = [], []
        for square_of in run_on_cluster(square, units(tmp_path, {}, seconds=0.2), other.address, lost=told.append):
            found.append(square_of)
            if len(found) == 3:
                first.kill()
                other.add_worker("--no-nanny")
    assert sorted(found) == SQUARES
    assert "left; what it was computing is computed again" in told[-1]


@pytest.mark.parametrize("profiles", [True, False])
def test_workers_that_profile_themselves_are_told(profiles, tmp_path):
    told = []
    with Cluster() as other:
        other.add_worker("--no-nanny", DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=str(profiles))
        assert sorted(run_on_cluster(square, units(tmp_path, {}), other.address, lost=told.append)) == SQUARES
    assert [words.startswith("Dask's workers profile themselves") for words in told] == [True] * profiles


def test_a_scheduler_that_goes_away(tmp_path):
    with Cluster() as other:
        other.add_worker()
        found = run_on_cluster(square, units(tmp_path, {}, seconds=0.2), other.address)
        assert next(found) in SQUARES
        other.scheduler.kill()
        with pytest.raises(RunError, match=r"connection to the Dask scheduler was lost.*goes on from there"):
            list(found)


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr("trialsim.engine.backends.cluster.CONNECT_SECONDS", 0.3)
    with pytest.raises(RunError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(run_on_cluster(square, [], "tcp://127.0.0.1:9"))


def test_no_worker(monkeypatch):
    monkeypatch.setattr("trialsim.engine.backends.cluster.WORKERS_SECONDS", 0.3)
    with Cluster() as other, pytest.raises(RunError, match=r"has no worker .* Start some: dask worker tcp://"):
        list(run_on_cluster(square, [], other.address))


@pytest.mark.parametrize(
    "address", ["host", "host:8786", "tcp://host", "file:///etc/passwd", "tcp://a b:1", "inproc://x"]
)
def test_an_address_that_is_none(address):
    with pytest.raises(InputError, match="is no address of a scheduler"):
        list(run_on_cluster(square, [], address))


def test_workers_of_another_version_are_refused(cluster, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import trialsim._version as v\nv.__version__ = '0.0.9'\n")
    with Cluster() as other:
        other.add_worker("--no-nanny", PYTHONPATH=f"{tmp_path}{os.pathsep}{TESTS}")
        with pytest.raises(RefusedError, match=r"tcp://127.0.0.1:[0-9]+: trialsim 0\.0\.9 \(here "):
            list(run_on_cluster(square, units(tmp_path, {}), other.address))


def test_a_worker_of_another_version_that_joins_later_is_refused():
    with pytest.raises(RefusedError, match=r"would not compute the same bits: trialsim .* \(here 0\.0\.9\)"):
        on_worker(square, [Unit(3)], {**fingerprint(), "trialsim": "0.0.9"})
