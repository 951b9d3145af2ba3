"""Groups and counts of simulated patients, and the analyses of times, counts and groups, by Monte Carlo.

Bounds are 4.9 standard errors with fixed seeds, from the spread between independent trials: a right program fails once
in a million per number. Each test says what it could see.
"""

import numpy as np
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve, simulate
from trialsim.analysis.contract import CONVERGED
from trialsim.engine.block import draw_block
from trialsim.engine.truth import PATIENTS_PER_TRIAL, Truth, true_values
from trialsim.streams import Streams

ALLOWED = 4.9
SIZE = 8


def within(values, expected, seen):
    """Values by trial, (R, ...), have this mean; the bound is no wider than what should be seen."""
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(ALLOWED * error < seen), (ALLOWED * error).max()
    assert np.all(np.abs(values.mean(axis=0) - expected) < ALLOWED * error)


# Groups ------------------------------------------------------------------------------------------------------

FLOOR = {
    "population": {"strata": {"all": {"share": 1.0, "baseline": {"qids_sr16": {"mean": 14.0, "sd": 3.0}}}}},
    "outcomes": {"qids_sr16": {"post_sd": 2.2, "residual_sd": 2.0}},
    "course": {"means": {"qids_sr16": {"midazolam": [4.0, 2.5, 1.5], "ketamine": [3.0, 1.8, 1.2]}}},
    "effects": None,
    "dropout": None,
}
MIDDLE = {"population": {"strata": {"bpd": {"share": 1.0}}}, "dropout": None}
REAL = {"outcomes.score.lower_is_better": True}
GROUPED = {"bounded": (BOUNDED, MIDDLE), "near the floor": (BOUNDED, FLOOR), "real line": (CONTINUOUS, REAL)}


def standardised(document, changes, clusters, *, blocks=2, n=640):
    """Scores of the active arm in units of their own SDs, (trials, members, J), and their groups."""
    resolved = resolve(document, {**changes, "clusters": clusters, "allocation": {"method": "complete"}})
    variant = resolved.variants[0]
    arm, z, groups = [], [], []
    for block in range(blocks):
        trial = draw_block(variant, resolved.hash, Streams(77, block), n)
        both = np.concatenate([trial.baseline[:, :, None], trial.scores], axis=2)
        mean = np.concatenate([variant.baseline_mean[0][None], variant.mean[1, 0]])
        sd = np.concatenate([variant.baseline_sd[0][None], variant.sd[0]])
        arm.append(trial.arm)
        z.append(((both - mean) / sd).reshape(250, n, -1))
        groups.append(np.stack([trial.groups[name] for name in clusters], axis=-1))
    # The same number of patients of the active arm from every trial, in order.
    active = [np.argsort(part != 1, axis=1, kind="stable")[:, : n // 2 - 60] for part in arm]
    z, groups = (
        np.concatenate([np.take_along_axis(a, rows[..., None], axis=1) for a, rows in zip(parts, active, strict=True)])
        for parts in (z, groups)
    )
    return variant, z, groups


def between_members(z, size):
    """Mean product of the scores of two members of a group, by trial, (R, J, J), of groups in the order of rows."""
    n_groups = z.shape[1] // size
    grouped = z[:, : n_groups * size].reshape(len(z), n_groups, size, -1)
    total = grouped.sum(axis=2)
    pairs = np.einsum("rgi,rgj->rij", total, total) - np.einsum("rgmi,rgmj->rij", grouped, grouped)
    return pairs / (n_groups * size * (size - 1))


@pytest.mark.parametrize("case", GROUPED)
def test_members_of_a_group_are_as_alike_as_asked_and_nothing_else_changes(case):
    """130,000 patients in groups of 8: sees 0.019 in an intraclass correlation of 0.15, 0.03 in a mean."""
    arm = list(GROUPED[case][0]["arms"])[1]
    variant, z, _ = standardised(*GROUPED[case], {"group": {"arms": [arm], "size": SIZE, "icc": 0.15}})
    n_outcomes = len(variant.outcomes)
    pairs = between_members(z, SIZE)
    alike = np.einsum("rjj->rj", pairs)
    within(alike[:, n_outcomes:], 0.15, 0.019)
    within(alike[:, :n_outcomes], 0.0, 0.016)
    within(z.mean(axis=1), 0.0, 0.03)
    within((z**2).mean(axis=1), 1.0, 0.05)
    products = np.einsum("rni,rnj->rij", z, z) / z.shape[1]
    within(products[:, ~np.eye(z.shape[2], dtype=bool)], variant.correlation[0][~np.eye(z.shape[2], dtype=bool)], 0.035)


def test_two_kinds_of_groups_add_up():
    """On the real line members of one group at one site share both parts: sees 0.01 in each."""
    clusters = {"site": {"number": 4, "icc": 0.05}, "group": {"arms": ["active"], "size": 4, "icc": 0.1}}
    _, z, groups = standardised(CONTINUOUS, {}, clusters)
    last = z[:, :, -1]
    pair = {}
    for same_site in (True, False):
        for same_group in (True, False):
            alike = (groups[:, :, None, 0] == groups[:, None, :, 0]) == same_site
            alike &= (groups[:, :, None, 1] == groups[:, None, :, 1]) == same_group
            alike[:, np.arange(last.shape[1]), np.arange(last.shape[1])] = False
            products = np.einsum("rn,rnm,rm->r", last, alike.astype(float), last)
            pair[same_site, same_group] = products, alike.sum(axis=(1, 2)).astype(float)
    for (same_site, same_group), (products, number) in pair.items():
        expected = 0.05 * same_site + 0.1 * same_group
        within((products - expected * number) / number.mean(), 0.0, 0.03)


def test_patients_of_groups_leave_as_often_as_others():
    """250 trials of 400: sees 0.015 in a share missing of 0.3 of the arm with groups."""
    missing = {"dropout": {"model": "mar", "missing_by": {3: 0.1, 14: 0.3}, "score_hazard_ratio_per_sd": 2.0}}
    clusters = {"group": {"arms": ["active"], "size": SIZE, "icc": 0.2}}
    resolved = resolve(CONTINUOUS, {**missing, "clusters": clusters})
    trial = draw_block(resolved.variants[0], resolved.hash, Streams(8, 0), 400)
    gone = [np.mean(~trial.present[:, :, -1], axis=1, where=trial.arm == a) for a in (0, 1)]
    within(gone[1] - gone[0], 0.0, 0.03)


# Counts ------------------------------------------------------------------------------------------------------

VISITS = {
    "schedule.visits": [60, 120, 240],
    "estimands": {
        "primary": {"outcome": "score", "visit": 240, "contrast": ["active", "control"]},
        "acts": {"outcome": "harm", "visit": 240, "contrast": ["active", "control"]},
    },
    "analysis": {"primary": {"method": "ancova"}, "acts": {"method": "negative_binomial"}},
}


@pytest.mark.parametrize("dispersion", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("rate", [0.2, 12.0])
def test_counts_are_negative_binomial(rate, dispersion):
    """100,000 patients: sees 4 % of a mean, more of a variance, and 0.01 in the share without any event."""
    counts = {"harm": {"rate_per_year": rate, "dispersion": dispersion, "rate_ratio": {"active": 0.5}}}
    resolved = resolve(CONTINUOUS, {**VISITS, "counts": counts})
    trial = draw_block(resolved.variants[0], resolved.hash, Streams(9, 0), 400)
    mean = rate / 365.25 * np.array([60.0, 60.0, 120.0])
    for arm, ratio in ((0, 1.0), (1, 0.5)):
        here = (trial.arm == arm)[..., None]
        y, mu = trial.counts[..., 0], ratio * mean

        def by_trial(values, here=here):
            return np.mean(values, axis=1, where=np.broadcast_to(here, values.shape))

        within(by_trial(y - mu), 0.0, 0.12 * mu + 0.02)
        within(
            by_trial((y - mu) ** 2 - mu - dispersion * mu**2), 0.0, 0.4 * (mu + (1 + dispersion) ** 2 * mu**2) + 0.02
        )
        within(by_trial((y[..., :1] - mu[0]) * (y[..., 2:] - mu[2]) - dispersion * mu[0] * mu[2]), 0.0, 3.0)
        k = max(dispersion, 1e-9)
        nothing = stats.nbinom.pmf(0, 1 / k, 1 / (1 + k * mu))
        within(by_trial((y == 0) - nothing), 0.0, 0.02)


# Analyses ----------------------------------------------------------------------------------------------------

TIMES = {
    "estimands": {
        "primary": {
            "outcome": "score",
            "visit": 14,
            "contrast": ["active", "control"],
            "endpoint": {"time_to": {"at_most": 13}},
        }
    },
    "analysis": {"primary": [{"method": name} for name in ("log_rank", "cox", "kaplan_meier", "rmst")]},
    "sample_size": [300],
}
DIFFERENT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [17.0, 14.5, 13.0]}}
COUNTS = {
    **VISITS,
    "sample_size": [300],
    "population": {
        "strata": {
            "one": {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
            "two": {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
        }
    },
}


def harm(ratio):
    return {"counts": {"harm": {"rate_per_year": {"one": 4.0, "two": 10.0}, "dispersion": 1.0,
                                "rate_ratio": {"active": ratio}}}}  # fmt: skip


def truths(changes):
    resolved = resolve(CONTINUOUS, changes)
    return list(true_values(resolved.variants[0]).values())


def check_bias(changes, *, positions=None, replicates=1000, seen=0.25):
    """Mean estimates are the true values; what could be seen is a share of the estimates' spread."""
    found, true = simulate(CONTINUOUS, changes, replicates=replicates), truths(changes)
    for position in positions or range(len(true)):
        estimate, truth = found[position]["estimate"], true[position]
        assert np.all(found[position]["status"] == CONVERGED)
        error = np.hypot(estimate.std(ddof=1) / np.sqrt(len(estimate)), truth.se)
        assert ALLOWED * error < seen * estimate.std()
        assert abs(estimate.mean() - truth.value) < ALLOWED * error, (position, estimate.mean(), truth)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, DIFFERENT], ids=["null", "effect"])
def test_times_are_estimated_without_bias(changes):
    """1,000 trials of 300 with complete data: sees a fifth of a standard error."""
    check_bias({**TIMES, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_rate_ratios_are_estimated_without_bias(ratio):
    """1,000 trials of 300 with complete data: sees a fifth of a standard error."""
    check_bias({**COUNTS, **harm(ratio)}, positions=[1])


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [None, {"model": "mcar", "missing_by": {60: 0.2, 240: 0.5}}], ids=["all", "half"])
def test_groups_are_analysed_without_bias_and_at_their_level(dropout):
    """1,000 trials of 96 with 6 groups of 8: sees 0.2 standard errors and 0.036 in the level.

    The level is that of the sound analysis; that of the one which leaves out the groups is too high.
    """
    changes = {
        "clusters": {"group": {"arms": ["active"], "size": SIZE, "icc": 0.2}},
        "analysis": {"primary": [{"method": "nested"}, {"method": "ancova"}]},
        "sample_size": [96],
        **({"dropout": dropout} if dropout else {}),
    }
    check_bias(changes)
    nested, ignorant = simulate(CONTINUOUS, changes, replicates=1000)
    bound = ALLOWED * np.sqrt(0.05 * 0.95 / 1000)
    assert abs(np.mean(nested["p"] < 0.05) - 0.05) < bound
    assert np.mean(ignorant["p"] < 0.05) > 0.05 + bound


# Truth -------------------------------------------------------------------------------------------------------


def test_without_a_difference_the_truth_is_exactly_0():
    for truth in truths(TIMES):
        assert truth == Truth(0.0, 0.0)
    grouped = {**TIMES, "clusters": {"group": {"arms": ["active"], "size": SIZE, "icc": 0.2}}}
    for truth in truths(grouped):
        assert truth == Truth(0.0, 0.0)
    assert truths({**COUNTS, **harm(1.0)})[1] == Truth(0.0, 0.0)


def test_groups_change_no_true_value():
    grouped = {"clusters": {"group": {"arms": ["active"], "size": SIZE, "icc": 0.2}}}
    assert truths({**TIMES, **DIFFERENT}) == truths({**TIMES, **DIFFERENT, **grouped})


def test_the_rate_ratio_that_strata_share_is_the_truth():
    assert truths({**COUNTS, **harm(0.6)})[1] == Truth(pytest.approx(np.log(0.6), abs=1e-12), 0.0)


def test_the_ratio_of_rate_ratios_is_the_truth_of_their_interaction():
    asked = {**VISITS["estimands"]["acts"], "interaction": ["one", "two"]}
    estimands = {**VISITS["estimands"], "acts": asked}
    changes = {**COUNTS, **harm({"one": 0.5, "two": 0.8}), "estimands": estimands}
    assert truths(changes)[1] == Truth(pytest.approx(np.log(0.5 / 0.8), abs=1e-12), 0.0)


def test_where_strata_differ_the_truth_is_between_their_ratios_and_has_an_error():
    (_, truth) = truths({**COUNTS, **harm({"one": 0.5, "two": 0.8})})
    assert np.log(0.5) < truth.value < np.log(0.8)
    assert 0.0 < truth.se < 0.01


def test_the_truth_of_event_free_shares_is_their_difference_in_the_patient_model():
    """Shares at one visit follow from the normal distribution: sees 0.006, mostly the error of the truth itself."""
    one_visit = {
        "schedule.visits": [14],
        "course.means.score": {"control": [15.0], "active": [13.0]},
        "covariance": None,
    }
    asked = {**TIMES, **one_visit, "analysis": {"primary": {"method": "kaplan_meier"}}}
    (truth,) = truths(asked)
    expected = stats.norm.cdf((15.0 - 13.0) / 5.0) - 0.5
    error = np.sqrt(0.5 / (250 * PATIENTS_PER_TRIAL))
    assert abs(truth.value + expected) < ALLOWED * error
    assert ALLOWED * truth.se < 0.006
