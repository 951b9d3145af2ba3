"""Addressed streams: the same address gives the same draws, another address others, and nothing else matters."""

import random
import subprocess
import sys

import numpy as np
import pytest

from trialsim.streams import PURPOSES, Streams


def test_the_same_address_gives_the_same_draws():
    first = Streams(7, 3).generator("score", "madrs", "day 14").random(5)
    again = Streams(7, 3).generator("score", "madrs", "day 14").random(5)
    np.testing.assert_array_equal(first, again)


def test_draws_of_the_scheme_do_not_change():
    # Results on disk are only reproducible while these numbers stay.
    draws = Streams(20230419, 0).generator("score", "qids_sr16", "day 14").random(3)
    np.testing.assert_array_equal(draws, [0.6678164199205041, 0.6244440480166517, 0.7413038893023463])


@pytest.mark.parametrize(
    ("seed", "block", "address"),
    [
        (8, 3, ("score", "madrs", "day 14")),
        (7, 4, ("score", "madrs", "day 14")),
        (7, 3, ("calibration", "madrs", "day 14")),
        (7, 3, ("score", "qids_sr16", "day 14")),
        (7, 3, ("score", "madrs", "day 7")),
        (7, 3, ("score", "madrsday 14", "")),
        (73, 0, ("score", "madrs", "day 14")),
    ],
)
def test_each_part_of_the_address_counts(seed, block, address):
    base = Streams(7, 3).generator("score", "madrs", "day 14").random(5)
    assert not np.any(np.isin(Streams(seed, block).generator(*address).random(5), base))


def test_a_larger_array_begins_with_the_smaller_one():
    small = Streams(1, 0).generator("score", "madrs", "day 3").standard_normal((80, 250))
    large = Streams(1, 0).generator("score", "madrs", "day 3").standard_normal((160, 250))
    np.testing.assert_array_equal(large[:80], small)


def test_an_unregistered_purpose_is_refused():
    with pytest.raises(ValueError, match=r"purpose must be one of .* got 'socres'"):
        Streams(1, 0).generator("socres")


def test_every_purpose_has_draws_of_its_own():
    draws = {purpose: Streams(1, 0).generator(purpose).random() for purpose in PURPOSES}
    assert len(set(draws.values())) == len(PURPOSES)


def test_global_generators_are_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    own = random.getstate()
    Streams(1, 0).generator("score").random(1000)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert random.getstate() == own


def test_streams_do_not_depend_on_the_hash_seed_of_the_process():
    code = "from trialsim.streams import Streams; print(Streams(1, 2).generator('score', 'a', 'b').random())"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{Streams(1, 2).generator('score', 'a', 'b').random()}\n"}
