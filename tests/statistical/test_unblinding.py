"""Dissociation, guesses and expectancy of simulated patients, by Monte Carlo.

200,000 patients, 100,000 in each arm; bounds are 4.9 standard errors with fixed seeds, so that a right program fails
once in a million per number. Guesses are calibrated over 65,536 evenly spread points, which adds an error of about
0.0002 to their shares: a tenth of what is seen here.
"""

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim import evidence
from trialsim.engine.block import draw_block, guess_tables
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.truth import Worlds, true_values, world_of
from trialsim.kernels.blinding import bang_index
from trialsim.streams import Streams

ALLOWED = 4.9
N = 800
REAL = {
    "schedule": {"infusions": [0, 3, 7, 10], "visits": [3, 7, 14]},
    "arms": {"control": {"infusion": "saline"}, "active": {"infusion": "ketamine"}},
    "allocation": {"block_sizes": [4], "stratify_by": []},
    "course.means.score.active": [17.0, 14.5, 13.0],
}
DRUG = -2.0
WORTH = 3.0
SHARES = {
    "perfect": (0.5, 0.5),
    "midazolam": (0.25, 0.65),
    "saline": (0.15, 0.90),
    "given": (0.4, 0.55),
}
GUESSES = {**{name: name for name in ("perfect", "midazolam", "saline")}, "given": {"control": 0.4, "active": 0.55}}


def drawn(changes, document=CONTINUOUS):
    resolved = resolve(document, changes)
    variant = resolved.variants[0]
    return variant, draw_block(variant, resolved.hash, Streams(8, 0), N)


def within(values, expected, seen):
    """Independent values have this mean; the bound is no wider than what should be seen."""
    bound = ALLOWED * values.std(ddof=1) / np.sqrt(values.size)
    assert bound < seen, bound
    assert abs(values.mean() - expected) < bound, (values.mean(), expected, bound)


@pytest.mark.slow
@pytest.mark.parametrize("multiplier", [1.0, 1.3])
def test_dissociation_has_the_means_and_spreads_of_the_evidence(multiplier):
    """33,000 patients by arm and stratum: sees 0.39 points in a mean of 13 (SD 14), 0.8 in its SD, 0.016 in zeros."""
    changes = {"dissociation": {"bpd_multiplier": multiplier}, "arms.saline": {"infusion": "saline"}}
    _, cohort = drawn({**changes, "effects.ketamine.specific_share": {"midazolam": 0.3, "saline": 0.3}}, BOUNDED)
    for arm, infusion in enumerate(("midazolam", "ketamine", "saline")):
        zeros = evidence.get(f"defaults.dissociation.{infusion}.share_of_zeros").value
        for stratum, times in enumerate((multiplier, 1.0)):
            scores = cohort.records["cadss"][(cohort.arm == arm) & (cohort.stratum == stratum)]
            for i in range(4):
                moments = evidence.get(f"defaults.cadss.{infusion}.infusion_{i + 1}")
                mean, sd = times * moments.value, times * moments.spread
                within(scores[:, i], mean, 0.39)
                within((scores[:, i] - mean) ** 2, sd**2, 23.0)
                within((scores[:, i] == 0).astype(float), zeros, 0.016)


@pytest.mark.slow
@pytest.mark.parametrize("name", GUESSES)
def test_arms_guess_as_asked_and_bangs_index_follows(name):
    """Sees 0.008 in a share, 0.016 in Bang's index, which is 2 p - 1 with p the share that is right."""
    variant, cohort = drawn({**REAL, "unblinding": {"guess": GUESSES[name], "expectancy": {"score": WORTH}}})
    tables = guess_tables(variant, cohort, N)
    assert (tables.sum(axis=(1, 2)) == N).all()
    bang = bang_index(np.stack([tables[:, 1], tables[:, 0]], axis=1)).estimate
    for arm, share in enumerate(SHARES[name]):
        within((cohort.records["guess"][cohort.arm == arm]), share, 0.008)
        right = share if arm == 1 else 1.0 - share
        within(bang[:, 1 - arm], 2.0 * right - 1.0, 0.016)
    expected = variant.unblinding.expected_share[:, 0, -1]
    np.testing.assert_allclose(expected, SHARES[name], atol=3e-4)


@pytest.mark.slow
def test_beliefs_at_every_visit_are_as_expected():
    """The shares that the means with expectancy take off, before all infusions are given: sees 0.008."""
    variant, cohort = drawn(
        {**REAL, "arms.control.infusion": "midazolam", "unblinding": {"expectancy": {"score": WORTH}}}
    )
    model = variant.unblinding
    uniform = Streams(8, 0).generator("guess").random((N, 250)).T
    worst = np.maximum.accumulate(cohort.records["cadss"], axis=2)
    for v in range(3):
        for arm in range(2):
            inside, felt = cohort.arm == arm, model.felt[v][arm]
            odds = model.intercept[arm] + model.slope * np.log1p(worst[..., felt - 1][inside])
            within(
                (uniform[inside] < 1.0 / (1.0 + np.exp(-odds))).astype(float), model.expected_share[arm, 0, v], 0.008
            )


@pytest.mark.slow
@pytest.mark.parametrize("name", GUESSES)
def test_control_arms_shift_by_what_their_beliefs_are_worth(name):
    """Against the same patients without expectancy; those who believe in the drug gain half of it: sees 0.03 points."""
    changes = {**REAL, "unblinding": {"guess": GUESSES[name], "expectancy": {"score": WORTH}, "means_are": "without"}}
    _, cohort = drawn(changes)
    _, bare = drawn(REAL)
    shift = (cohort.scores - bare.scores)[:, :, -1, 0]
    for arm, share in enumerate(SHARES[name]):
        within(shift[cohort.arm == arm], -WORTH * (share - 0.5), 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", GUESSES)
@pytest.mark.parametrize("means", ["without", "with_expectancy"])
def test_the_truth_without_expectancy_is_the_drug_alone_and_with_it_the_trial(name, means):
    """On the real line; found from potential outcomes, and exactly where the means hold no expectancy: sees 0.03."""
    unblinding = {"guess": GUESSES[name], "expectancy": {"score": WORTH}, "means_are": means}
    primary = {**CONTINUOUS["estimands"]["primary"]}
    estimands = {"primary": primary, "drug": {**primary, "expectancy": "excluded"}}
    resolved = resolve(
        CONTINUOUS,
        {
            **REAL,
            "unblinding": unblinding,
            "estimands": estimands,
            "analysis": {"primary": {"method": "ancova"}, "drug": {"method": "ancova"}},
        },
    )
    variant = resolved.variants[0]
    control, active = SHARES[name]
    by_belief = -WORTH * (active - control)
    included, excluded = (DRUG + by_belief, DRUG) if means == "without" else (DRUG, DRUG - by_belief)
    found = true_values(variant)
    for position, expected in enumerate((included, excluded)):
        truth = found[Hypothesis(position, 0)]
        assert ALLOWED * truth.se < 0.03
        assert abs(truth.value - expected) < ALLOWED * truth.se + WORTH * 4e-4
    assert found[Hypothesis(1, 0)].se == 0.0  # no patient's difference between the arms depends on a guess
    world = Worlds(variant, resolved.hash).of(world_of(variant, variant.estimands[1]))
    scores = world.scores[:, :, -1, 0]
    difference = scores[:, N:] - scores[:, :N]  # active arm, then control arm, of the same patients
    np.testing.assert_allclose(difference.mean(), excluded, atol=WORTH * 4e-4)


@pytest.mark.slow
def test_the_defaults_tell_of_one_drug_whatever_it_is_compared_with():
    """Means of trials against midazolam and against saline, without what is believed there: the same 0.25 points."""
    found = []
    for comparator in ("midazolam", "saline"):
        primary = {"outcome": "qids_sr16", "visit": 14, "contrast": ["ketamine", comparator], "expectancy": "excluded"}
        resolved = resolve(
            BOUNDED,
            {
                "outcomes": {"qids_sr16": {"scale": "continuous"}},
                "arms": {comparator: {"infusion": comparator}, "ketamine": {"infusion": "ketamine"}},
                "effects.ketamine": {"open_label_change": "danayan2023"},
                "estimands": {"primary": primary},
                "analysis": {"primary": {"method": "ancova"}},
                "dropout": None,
                "unblinding": {},
            },
        )
        found.append(true_values(resolved.variants[0])[Hypothesis(0, 0)])
    for truth in found:
        assert abs(truth.value + 0.25) < 0.01 + ALLOWED * truth.se
        assert truth.se < 0.005
