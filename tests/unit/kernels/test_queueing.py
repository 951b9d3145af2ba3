"""Erlang's formulas against their sums and known values."""

import math

import pytest

from trialsim.kernels.queueing import erlang_b, erlang_c, mean_wait


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (2, 1.0), (5, 4.2), (20, 17.0)])
def test_erlang_b_and_c_are_their_sums(servers, load):
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    assert erlang_b(servers, load) == pytest.approx(terms[-1] / sum(terms))
    waiting = terms[-1] * servers / (servers - load)
    assert erlang_c(servers, load) == pytest.approx(waiting / (sum(terms[:-1]) + waiting))


def test_one_server_waits_as_long_as_its_textbook_formula():
    # M/M/1 with load 0.8: wait rho / (mu - lambda).
    assert mean_wait(1, 0.8, 1.0) == pytest.approx(0.8 / 0.2)
    assert erlang_c(2, 1.0) == pytest.approx(1.0 / 3.0)


def test_a_queue_that_is_overloaded_grows_without_end():
    assert erlang_c(2, 2.0) == 1.0
    assert mean_wait(2, 2.5, 1.0) == math.inf
