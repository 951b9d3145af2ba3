"""Units in worker processes that are killed: computed again, a bounded number of times."""

from __future__ import annotations

import pytest

from mortal import Unit, fails, runs_out_of_memory, square, threads
from trialsim.engine.backends import run_units
from trialsim.errors import RunError

NUMBERS = range(12)
SQUARES = [number**2 for number in NUMBERS]


def units(tmp_path, kills):
    """Twelve units, some of which kill."""
    return [Unit(number, kills.get(number, 0), str(tmp_path)) for number in NUMBERS]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_unit_comes_back_once(workers, tmp_path):
    assert sorted(run_units(square, units(tmp_path, {}), workers)) == SQUARES


def test_what_a_killed_worker_computed_is_computed_again(tmp_path):
    told = []
    assert sorted(run_units(square, units(tmp_path, {5: 1}), 2, lost=told.append)) == SQUARES
    assert len(told) == 1
    assert "died" in told[0]


def test_a_unit_that_kills_in_company_is_tried_alone(tmp_path):
    told = []
    assert sorted(run_units(square, units(tmp_path, {2: 3}), 2, lost=told.append)) == SQUARES
    assert told[-1] == "Going on with 1 at a time."


def test_a_unit_that_kills_every_worker_is_named_and_the_rest_comes_first(tmp_path):
    found = []
    with pytest.raises(RunError, match=r"computes number 7 dies, also when .* memory does not suffice") as raised:
        found.extend(run_units(square, units(tmp_path, {7: 99}), 2))
    assert raised.value.exit_code == 3
    assert (tmp_path / "7").read_text() == "4"  # a bounded number of times


def test_memory_that_does_not_suffice_is_a_lost_worker_too(tmp_path):
    assert sorted(run_units(runs_out_of_memory, units(tmp_path, {3: 1}), 2)) == SQUARES


def test_other_errors_are_passed_on(tmp_path):
    with pytest.raises(ValueError, match="no good"):
        list(run_units(fails, units(tmp_path, {}), 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_linear_algebra_has_one_thread(workers, tmp_path):
    assert all(of_one == [1] * len(of_one) for of_one in run_units(threads, units(tmp_path, {}), workers))
