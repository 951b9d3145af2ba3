"""A real Dask scheduler with real workers on loopback: the same results, also when workers are killed."""

from __future__ import annotations

import os

import pytest

from mortal import Unit, fails, square, threads
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
    assert int((tmp_path / "7").read_text()) == 3  # a bounded number of times


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
    assert "left; what it was computing is computed again" in told[0]


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
        on_worker(square, Unit(3), {**fingerprint(), "trialsim": "0.0.9"})
