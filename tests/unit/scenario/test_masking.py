"""Dissociation, guesses and expectancy as the engine takes them, and what cannot be is told at its place."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trialsim import evidence
from trialsim.scenario.export import variant_dict

LAST = "sample_size: [80, 120]"
ARMS = "  midazolam: {infusion: midazolam}\n"
SALINE = (("  midazolam: {infusion: midazolam}", "  midazolam: {infusion: saline}"),)


def added(*lines: str) -> tuple[str, str]:
    """Return the change that adds lines to the scenario."""
    return LAST, "\n".join([LAST, *lines])


def sources(found, path):
    return next(row for row in found.provenance if row.path == path)


def test_dissociation_comes_from_the_evidence_by_what_is_infused(resolved):
    found = resolved(added("dissociation: {}"))
    dissociation = found.variants[0].dissociation
    assert dissociation.kinds == ("midazolam", "ketamine")
    assert dissociation.kind == (0, 1)
    assert dissociation.mean == ((2.0, 1.7, 1.5, 1.5), (10.0, 8.0, 7.0, 6.5))
    assert dissociation.sd == ((3.5, 3.0, 3.0, 3.0), (11.0, 9.0, 8.0, 8.0))
    assert dissociation.zeros == (0.5, 0.1)
    assert (dissociation.correlation, dissociation.maximum) == (0.5, 92.0)
    assert found.variants[0].unblinding is None
    row = sources(found, "dissociation.infusions.ketamine.mean.0")
    assert (row.source, row.tag) == ("evidence", "assumed")


def test_the_multiplier_is_for_the_evidence_group_bpd(resolved):
    found = resolved(added("dissociation: {bpd_multiplier: 1.3, correlation: 0.4}")).variants[0].dissociation
    assert found.multiplier == (1.3, 1.0)
    assert found.correlation == 0.4


def test_the_last_number_given_holds_for_all_that_follow(resolved):
    own = "dissociation: {infusions: {ketamine: {mean: [12, 9], sd: [10], zeros: 0.05}}}"
    found = resolved(added(own)).variants[0].dissociation
    assert (found.mean[1], found.sd[1], found.zeros[1], found.infusions) == ((12.0, 9.0), (10.0,), 0.05, 4)


def test_guesses_against_midazolam_follow_dissociation_alone(resolved):
    found = resolved(added("unblinding: {}"))
    model = found.variants[0].unblinding
    assert model.intercept[0] == pytest.approx(model.intercept[1], abs=1e-6)
    assert model.slope == pytest.approx(evidence.get("defaults.guessing.slope").value, abs=0.05)
    assert sources(found, "unblinding.slope").tag == "derived"
    assert sources(found, "unblinding.guess.ketamine").value == 0.65
    assert sources(found, "unblinding.guess.midazolam").value == 0.25
    np.testing.assert_allclose(model.expected_share[:, :, -1].mean(axis=1), [0.25, 0.65], atol=1e-3)
    assert model.asked == (True, True)
    assert model.active == (False, True)
    assert model.means_are == "with_expectancy"


def test_guesses_against_saline_need_other_cues(resolved):
    found = resolved(*SALINE, added("unblinding: {}"))
    model = found.variants[0].unblinding
    assert model.slope == evidence.get("defaults.guessing.slope").value
    assert model.intercept[1] > model.intercept[0] + 1
    assert sources(found, "unblinding.slope").source == "evidence"
    np.testing.assert_allclose(model.expected_share[:, :, -1].mean(axis=1), [0.15, 0.9], atol=1e-3)


def test_perfect_masking_is_a_coin(resolved):
    model = resolved(added("unblinding: {guess: perfect}")).variants[0].unblinding
    assert (model.intercept, model.slope) == ((0.0, 0.0), 0.0)
    assert (model.expected_share == 0.5).all()


def test_shares_and_slope_as_given(resolved):
    words = "unblinding: {guess: {midazolam: 0.4, ketamine: 0.5}, slope: 0.3}"
    model = resolved(added(words)).variants[0].unblinding
    assert model.slope == 0.3
    np.testing.assert_allclose(model.expected_share[:, :, -1].mean(axis=1), [0.4, 0.5], atol=1e-3)


def test_expectancy_by_outcome_and_stratum(resolved):
    words = "unblinding: {expectancy: {madrs: {bpd: 3, no_bpd: 1}}}"
    found = resolved(added(words))
    np.testing.assert_array_equal(found.variants[0].unblinding.expectancy, [[0, 3], [0, 1]])
    assert sources(found, "unblinding.expectancy.qids_sr16").note == "not named"


def test_the_true_value_is_exact_where_beliefs_do_not_move_it(resolved):
    primary = "contrast: [ketamine, midazolam]}"
    excluded = (primary, primary.replace("}", ", expectancy: excluded}"))
    without = added("unblinding: {means_are: without}")
    assert resolved(excluded, without).variants[0].estimands[0].true_value == -2.0
    assert resolved(excluded, without).variants[0].estimands[0].expectancy == "excluded"
    assert resolved(without).variants[0].estimands[0].true_value is None
    assert resolved(excluded, added("unblinding: {}")).variants[0].estimands[0].true_value is None
    assert resolved(added("dissociation: {}")).variants[0].estimands[0].true_value == -2.0


def test_all_of_it_is_json(resolved):
    found = resolved(added("unblinding: {}"))
    text = json.dumps(variant_dict(found.variants[0])["unblinding"], allow_nan=False)
    assert '"slope"' in text


def test_expectancy_in_the_catalogue_is_what_its_basis_says():
    """The difference of the control courses over that of what the arms of the two kinds of trial believe."""
    right = {name: evidence.get(f"defaults.guessing.{name}").value for name in (
        "midazolam.ketamine_arm", "midazolam.control_arm", "saline.ketamine_arm", "saline.control_arm"
    )}  # fmt: skip
    apart = {kind: right[f"{kind}.ketamine_arm"] + right[f"{kind}.control_arm"] - 1 for kind in ("midazolam", "saline")}
    listed = [quantity for quantity in evidence.find("defaults.expectancy")]
    assert len(listed) >= 12
    for quantity in listed:
        _, _, group, outcome = quantity.name.split(".")
        changes = [evidence.get(f"defaults.{kind}.{group}.{outcome}.change").value for kind in ("midazolam", "saline")]
        expected = (changes[1] - changes[0]) / (apart["saline"] - apart["midazolam"])
        assert quantity.value == pytest.approx(abs(expected), abs=5e-4)
        assert quantity.tag == "assumed"
        assert quantity.low == 0.0
        assert quantity.high >= quantity.value


MOODY = "baseline: {qids_sr16: {mean: 18, sd: 4}, madrs: {mean: 30, sd: 6}, mood: {mean: 5, sd: 1.5}}"

CASES = {
    "shares further apart than dissociation": (
        (added("unblinding: {guess: {ketamine: 0.9, midazolam: 0.1}}"),),
        "unblinding.guess: guesses that follow dissociation can't be 'active' in 0.9 of the active arm and in 0.1 of "
        "the control arm: with the former, the latter lies between",
    ),
    "the remedy of that": (
        (added("unblinding: {guess: {ketamine: 0.9, midazolam: 0.1}}"),),
        "give the slope, so that other cues tell the arms apart too (unblinding.slope: 2 is about that of trials",
    ),
    "a share above one": (
        (added("unblinding: {guess: {ketamine: 1.2, midazolam: 0.1}}"),),
        "unblinding.guess.ketamine: must be below 1, not 1.2",
    ),
    "a share of zero": (
        (added("unblinding: {guess: {ketamine: 0.5, midazolam: 0}}"),),
        "unblinding.guess.midazolam: must be above 0, not 0",
    ),
    "an arm that is none": (
        (added("unblinding: {guess: {ketamin: 0.5, midazolam: 0.2}}"),),
        "unblinding.guess.ketamin: there is no arm 'ketamin'; did you mean 'ketamine'?",
    ),
    "an arm that is not there": (
        (added("unblinding: {guess: {ketamine: 0.5}}"),),
        "unblinding.guess: is missing for midazolam: give the share that guesses active",
    ),
    "an arm without infusions": (
        (
            (ARMS, ARMS + "  nothing: {infusion: none}\n"),
            ("ratio: [1, 1], block_sizes: [4, 6]", "ratio: [1, 1, 1], block_sizes: [6]"),
            ("{points: {qids_sr16: -2.0, madrs: -5.0}}", "{points: {qids_sr16: -2.0, madrs: -5.0}, versus: midazolam}"),
            added(
                "course: {control_change: {qids_sr16: -3, madrs: -6}}",
                "unblinding: {guess: {ketamine: 0.5, midazolam: 0.3, nothing: 0.1}}",
            ),
        ),
        "unblinding.guess.nothing: this arm has no infusions: nobody guesses what it is",
    ),
    "a comparator nobody knows": (
        ((ARMS, "  midazolam: {infusion: ketamine}\n"), added("unblinding: {}")),
        "unblinding.guess: is missing: guesses are known of trials of ketamine against midazolam or against saline "
        "only",
    ),
    "nothing to tell apart": (
        ((ARMS, "  midazolam: {infusion: ketamine}\n"), added("unblinding: {guess: midazolam}")),
        "unblinding: every arm with infusions (midazolam and ketamine) has an active drug: there is nothing to guess",
    ),
    "a slope under perfect masking": (
        (added("unblinding: {guess: perfect, slope: 1}"),),
        "unblinding.slope: under perfect masking guesses follow nothing; leave this out",
    ),
    "a set of guesses that is none": (
        (added("unblinding: {guess: perfekt}"),),
        "unblinding.guess: must be 'midazolam', 'saline' or 'perfect', not 'perfekt'; did you mean 'perfect'?",
    ),
    "an outcome of expectancy": (
        (added("unblinding: {expectancy: {qids: 2}}"),),
        "unblinding.expectancy.qids: there is no outcome 'qids'",
    ),
    "a belief worth more than the scale": (
        (added("unblinding: {expectancy: {qids_sr16: 40}}"),),
        "unblinding.expectancy.qids_sr16: 40 points cannot be: the scale, from 0 to 27, is 27 wide",
    ),
    "a rater of what patients fill in": (
        (added("unblinding: {raters: {expectancy: {qids_sr16: 2}}}"),),
        "unblinding.raters.expectancy.qids_sr16: QIDS-SR16 is filled in by patients themselves",
    ),
    "an outcome of raters": (
        (added("unblinding: {raters: {expectancy: {madr: 2}}}"),),
        "unblinding.raters.expectancy.madr: there is no outcome 'madr'; did you mean 'madrs'?",
    ),
    "a stratum of expectancy": (
        (added("unblinding: {expectancy: {madrs: {bpd: 2}}}"),),
        "unblinding.expectancy.madrs: nothing is said for the stratum no_bpd",
    ),
    "an outcome nobody knows": (
        (("  madrs: {}\n", "  madrs: {}\n  mood: {scale: {min: 0, max: 10, step: 1}, post_sd: 2, residual_sd: 1.5}\n"),
         ("baseline: defaults.trd_bpd", MOODY),
         ("baseline: defaults.trd_no_bpd", MOODY),
         ("madrs: -5.0}", "madrs: -5.0, mood: 0}"),
         added("course: {control_change: {mood: -1}}", "unblinding: {}")),
        "unblinding.expectancy: is missing: nothing is known for mood in the groups bpd and no_bpd; give points by "
        "outcome",
    ),
    "more infusions than there are": (
        (added("unblinding: {after: 5}"),),
        "unblinding.after: midazolam has four infusions only",
    ),
    "a visit that is none": (
        (added("unblinding: {after: {visit: 8}}"),),
        "unblinding.after.visit: there is no visit on day 8; visits are on days 3, 7, 10 and 14",
    ),
    "a visit before any infusion": (
        (("infusions: [0, 3, 7, 10]", "infusions: [5, 7]"), added("unblinding: {after: {visit: 3}}")),
        "unblinding.after.visit: midazolam and ketamine: no infusion comes before this visit",
    ),
    "leaving out what is not there": (
        (("contrast: [ketamine, midazolam]}", "contrast: [ketamine, midazolam], expectancy: excluded}"),),
        "estimands.primary.expectancy: there is none to leave out: describe it under unblinding",
    ),
    "no infusions at all": (
        (
            ("infusions: [0, 3, 7, 10], ", ""),
            added("dissociation: {}", "course: {control_change: {qids_sr16: -3, madrs: -6}}"),
        ),
        "dissociation: no arm has infusions: give schedule.infusions and say what is infused in the arms",
    ),
    "dissociation of what nobody gets": (
        (added("dissociation: {infusions: {saline: {zeros: 0.5}}}"),),
        "dissociation.infusions.saline: no arm has infusions of saline",
    ),
    "dissociation that no score has": (
        (added("dissociation: {infusions: {ketamine: {sd: [2]}}}"),),
        "dissociation.infusions.ketamine: a CADSS mean of 10 with a share of 0.1 zeros allows an SD from 3.3",
    ),
    "too low a mean for its zeros": (
        (added("dissociation: {infusions: {ketamine: {mean: [0.2], sd: [1]}}}"),),
        "a mean of 0.2 needs at least 0.8 zeros",
    ),
    "a correlation that infusions cannot have": (
        (added("dissociation: {correlation: -0.9}"),),
        "dissociation.correlation: infusions 3 and 4 of midazolam allow correlations from -0.2500 to",
    ),
    "a correlation that four infusions cannot have": (
        (added("dissociation: {infusions: {midazolam: {mean: [30], sd: [9], zeros: 0}, ketamine: {mean: [40], sd: [9], "
               "zeros: 0}}, correlation: -0.5}"),),
        "dissociation.correlation: the correlation between infusions makes a matrix that is not positive definite",
    ),
    "an event with this name": (
        (added("events: {expectancy: {per_day: 0.01}}"),),
        "events.expectancy: 'expectancy' has a meaning of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_faults_are_told_at_their_place(faults, case):
    changes, message = CASES[case]
    told = faults(*changes)
    assert any(message in fault for fault in told), told


def test_a_fault_has_its_line(faults):
    told = faults(added("unblinding:", "  guess: {ketamine: 0.9, midazolam: 0.1}"))
    assert told[0].startswith("24:10: unblinding.guess:")
