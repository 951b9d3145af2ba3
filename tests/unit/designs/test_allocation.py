"""Randomisation lists: balance in every block, lists of strata, and trials that grow."""

import numpy as np
import pytest

from trialsim.designs.allocation import allocate, randomisation_list, unshuffled
from trialsim.scenario.resolved import Allocation
from trialsim.streams import Streams


def blocks(ratio=(1, 1), sizes=(4,), *, stratified=False):
    return Allocation(ratio, "permuted_blocks", sizes, stratified)


def listed(allocation, length=120, n_replicates=300, stratum="", seed=5):
    return randomisation_list(allocation, length, n_replicates, Streams(seed, 0), stratum)


@pytest.mark.parametrize(
    ("ratio", "size"), [((1, 1), 2), ((1, 1), 4), ((2, 1), 6), ((1, 1, 1), 3), ((3, 2, 1), 12), ((1, 1), 40)]
)
def test_every_block_holds_the_arms_in_their_ratio(ratio, size):
    arms = listed(blocks(ratio, (size,))).reshape(300, -1, size)
    share = size // sum(ratio)
    for arm, part in enumerate(ratio):
        np.testing.assert_array_equal((arms == arm).sum(axis=2), part * share)


@pytest.mark.parametrize(("ratio", "sizes"), [((1, 1), (4, 6)), ((2, 1), (3, 6, 9)), ((1, 1, 2), (4, 8))])
def test_blocks_of_random_sizes_are_never_far_from_balance(ratio, sizes):
    arms = listed(blocks(ratio, sizes))
    share = np.array(ratio) / sum(ratio)
    seats = np.arange(1, arms.shape[1] + 1)
    for arm, part in enumerate(share):
        gap = np.cumsum(arms == arm, axis=1) - part * seats
        # Within a block at most its whole share is still to come, or too many have come.
        assert np.abs(gap).max() <= part * (1 - part) * max(sizes) + 1e-9


def test_every_order_of_a_block_is_as_likely():
    # 5,000 blocks of 4 have six orders: chi-squared with 5 df, below 38.9 but once in four million.
    arms = listed(blocks(), 4, 5000)
    _, counts = np.unique(arms @ np.array([8, 4, 2, 1]), return_counts=True)
    assert len(counts) == 6
    assert ((counts - 5000 / 6) ** 2 / (5000 / 6)).sum() < 38.9


def test_block_sizes_are_drawn_with_equal_chance():
    # After four participants the arms are level in every block of 4 and in 3 of 5 blocks of 6: 0.8 on average.
    arms = listed(blocks(sizes=(4, 6)), 4, 20_000)
    level = np.mean((arms == 0).sum(axis=1) == 2)
    assert abs(level - 0.8) < 4.9 * np.sqrt(0.8 * 0.2 / 20_000)


def test_replicates_and_strata_have_lists_of_their_own():
    arms = listed(blocks())
    assert len(np.unique(arms, axis=0)) == 300
    assert not np.array_equal(arms, listed(blocks(), stratum="bpd"))
    assert not np.array_equal(arms, listed(blocks(), seed=6))


@pytest.mark.parametrize("allocation", [blocks(sizes=(4, 6)), Allocation((2, 1), "complete", (), False)])
def test_a_longer_list_begins_with_the_shorter_one(allocation):
    np.testing.assert_array_equal(listed(allocation, 160)[:, :83], listed(allocation, 83))


def test_complete_randomisation_has_the_ratio_on_average():
    arms = listed(Allocation((2, 1), "complete", (), False), 200, 500)
    assert abs(np.mean(arms == 0) - 2 / 3) < 4.9 * np.sqrt(2 / 9 / 100_000)
    assert np.std((arms == 0).sum(axis=1)) > 5.0


def test_strata_take_their_own_lists_in_order_of_enrolment():
    strata = np.random.default_rng(1).integers(0, 2, (300, 100))
    allocation = blocks(stratified=True)
    streams = Streams(5, 0)
    arms = allocate(allocation, strata, ("bpd", "no_bpd"), streams)
    for s, name in enumerate(("bpd", "no_bpd")):
        whole = randomisation_list(allocation, 100, 300, streams, name)
        for r in range(300):
            own = arms[r, strata[r] == s]
            np.testing.assert_array_equal(own, whole[r, : len(own)])


def test_a_list_belongs_to_the_name_of_its_stratum():
    strata = np.random.default_rng(1).integers(0, 2, (50, 60))
    allocation = blocks(stratified=True)
    first = allocate(allocation, strata, ("bpd", "no_bpd"), Streams(5, 0))
    turned = allocate(allocation, 1 - strata, ("no_bpd", "bpd"), Streams(5, 0))
    np.testing.assert_array_equal(first, turned)


def test_an_empty_stratum_and_a_single_participant():
    allocation = blocks(stratified=True)
    strata = np.zeros((3, 20), dtype=int)
    assert allocate(allocation, strata, ("a", "b"), Streams(1, 0)).shape == (3, 20)
    assert allocate(allocation, strata[:, :1], ("a", "b"), Streams(1, 0)).shape == (3, 1)


def test_without_strata_one_list_serves_all():
    strata = np.random.default_rng(1).integers(0, 2, (50, 60))
    arms = allocate(blocks(), strata, ("a", "b"), Streams(5, 0))
    np.testing.assert_array_equal(arms, randomisation_list(blocks(), 60, 50, Streams(5, 0), ""))


@pytest.mark.parametrize("ratio", [(1, 1), (1, 2), (2, 1), (1, 3), (3, 2), (1, 1, 1), (1, 1, 2), (2, 2)])
def test_a_block_before_shuffling_keeps_the_ratio_at_every_multiple(ratio):
    period = sum(ratio)
    arms = unshuffled(ratio, 5 * period)
    for multiple in range(1, 6):
        counts = np.bincount(arms[: multiple * period], minlength=len(ratio))
        np.testing.assert_array_equal(counts, multiple * np.array(ratio))


def test_equal_arms_are_taken_in_turn_and_other_ratios_stay_near():
    np.testing.assert_array_equal(unshuffled((1, 1), 6), [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(unshuffled((1, 1, 1), 6), [0, 1, 2, 0, 1, 2])
    for ratio in ((1, 2), (2, 1)):
        assert (unshuffled(ratio, 6) == unshuffled((1, 1), 6)).sum() == 5


def test_with_one_block_size_most_patients_keep_their_arm_under_another_ratio():
    def arms(ratio):
        allocation = Allocation(ratio, "permuted_blocks", (6,), stratified=False)
        return allocate(allocation, np.zeros((250, 60), dtype=np.intp), ("all",), Streams(5, 0))

    assert (arms((1, 1)) == arms((1, 2))).mean() == pytest.approx(5 / 6)
