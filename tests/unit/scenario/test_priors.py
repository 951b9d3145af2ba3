"""Priors in a scenario: what they become, what is wrong with them and where, and what explain says of them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from trialsim import evidence
from trialsim.errors import InputError
from trialsim.planning.prior_draws import draw_priors
from trialsim.scenario import load, resolve
from trialsim.scenario.priors import Range, beliefs, range_of

EFFECT = "effects.ketamine.points.qids_sr16"
QUICK = Path(__file__).resolve().parents[3] / "scenarios/quick_start.yaml"
MISSING = "dropout.missing_by.14"


def with_priors(write, *lines):
    end = (
        "simulation: {replicates: 10, seed: 7}\n",
        "simulation: {replicates: 10, seed: 7}\n" + "\n".join(lines) + "\n",
    )
    return write(end)


def believed(write, path, text):
    scenario = load(with_priors(write, "priors:", f"  {path}: {text}"))
    return beliefs(scenario.content.priors)[0]


def fault(write, path, text, *more):
    with pytest.raises(InputError) as caught:
        load(with_priors(write, "priors:", f"  {path}: {text}", *more))
    return caught.value.faults[0]


def test_a_prior_of_the_catalogue_is_taken_with_its_origin(write):
    name = "priors.ketamine_vs_midazolam.qids_sr16.robust"
    assert believed(write, EFFECT, name).prior == evidence.prior(name)
    assert believed(write, EFFECT, f"{{evidence: {name}}}").prior == evidence.prior(name)


@pytest.mark.parametrize(
    ("text", "mean", "sd"),
    [
        ("{normal: {mean: -2, sd: 1}}", -2.0, 1.0),
        ("{t: {df: 6, location: -2, scale: 1}}", -2.0, math.sqrt(1.5)),
        ("{uniform: {low: -4, high: 0}}", -2.0, 4.0 / math.sqrt(12.0)),
        ("{triangular: {low: -4, mode: -2, high: 0}}", -2.0, math.sqrt(4.0 / 6.0)),
        ("{discrete: {values: [-3, -1], weights: [1, 1]}}", -2.0, 1.0),
        ("{discrete: {values: [-3, -1]}}", -2.0, 1.0),
        ("{mixture: [{weight: 3, normal: {mean: -2, sd: 1}}, {weight: 1, discrete: {values: [2]}}]}", -1.0, 1.936),
    ],
)
def test_distributions_given_by_hand(write, text, mean, sd):
    prior = believed(write, EFFECT, text).prior
    assert (prior.mean, prior.sd) == pytest.approx((mean, sd), abs=1e-3)


@pytest.mark.parametrize(
    ("path", "text", "mean", "sd"),
    [
        (MISSING, "{beta: {mean: 0.1, sd: 0.05}}", 0.1, 0.05),
        ("outcomes.qids_sr16.post_sd", "{gamma: {mean: 6, sd: 0.5}}", 6.0, 0.5),
        ("outcomes.qids_sr16.post_sd", "{lognormal: {median: 6, log_sd: 0.1}}", 6.0 * math.exp(0.005), 0.6045),
    ],
)
def test_positive_and_bounded_distributions(write, path, text, mean, sd):
    prior = believed(write, path, text).prior
    assert (prior.mean, prior.sd) == pytest.approx((mean, sd), abs=1e-3)


def test_a_prior_is_cut_off_only_where_that_is_asked_for(write):
    told = fault(write, MISSING, "{normal: {mean: 0.07, sd: 0.05}}")
    assert (
        "8.08 % of the prior (normal(mean 0.07, sd 0.05), any number) lies outside the range of the value"
        in told.message
    )
    assert "(0 to 1)" in told.message
    assert (told.line, told.path) == (25, f"priors.{MISSING}")
    cut = believed(write, MISSING, "{normal: {mean: 0.07, sd: 0.05}, truncate: true}")
    assert cut.prior.support == (0.0, 1.0)
    assert cut.cut == pytest.approx(0.0808, abs=1e-4)
    by_hand = believed(write, EFFECT, "{normal: {mean: -2, sd: 1}, high: 0}")
    assert by_hand.prior.support == (-math.inf, 0.0)
    assert by_hand.cut == pytest.approx(0.02275, abs=1e-5)


def test_a_prior_without_support_on_the_range_names_both(write):
    told = fault(write, "dropout.missing_by.14", "{uniform: {low: 2, high: 3}}")
    assert told.message == (
        "the prior (uniform(low 2, high 3), 2 to 3) has nothing within the range of the value (0 to 1); choose one "
        "that lies there"
    )
    told = fault(write, "dropout.missing_by.14", "{normal: {mean: 3, sd: 0.1}}")
    assert told.message == (
        "the prior (normal(mean 3, sd 0.1), any number) has next to nothing within the range of the value (0 to 1); "
        "choose one that lies there"
    )


@pytest.mark.parametrize(
    ("path", "text", "message", "place"),
    [
        ("effects.ketamin.points.qids_sr16", "{normal: {mean: 0, sd: 1}}", "did you mean 'ketamine'?", (25, 3)),
        ("effects.ketamine.pionts.qids_sr16", "{normal: {mean: 0, sd: 1}}", "unknown key", (25, 3)),
        (EFFECT, "priors.ketamine_vs_midazolam.qids_sr16.robus", "did you mean 'priors.ketamine_vs_mid", (25, None)),
        (EFFECT, "{}", "has no distribution: give one of evidence, normal", (25, None)),
        (EFFECT, "{normal: {mean: 0, sd: 1}, uniform: {low: 0, high: 1}}", "has both normal and uniform", (25, None)),
        (EFFECT, "{normal: {mean: 0}}", "is missing: standard deviation", (25, None)),
        (EFFECT, "{uniform: {low: 1, high: 0}}", "low must be below high; got 1 and 0", (25, None)),
        (EFFECT, "{discrete: {values: [1, 0]}}", "the values must rise", (25, None)),
        (
            EFFECT,
            "{normal: {mean: -2, sd: 1}, low: 9}",
            "next to nothing of normal(mean -2, sd 1) lies from 9",
            (25, None),
        ),
        (MISSING, "{beta: {mean: 0.1, sd: 0.5}}", "a beta with a mean of 0.1 has an SD below 0.3", (25, None)),
        ("sample_size", "{normal: {mean: 0, sd: 1}}", "is chosen or shown, not uncertain", (25, 3)),
        ("allocation.ratio.0", "{uniform: {low: 1, high: 2}}", "takes whole numbers only", (25, 3)),
        (EFFECT, "{normal: {mean: 0, sd: 1}, relative_to: effects.nobody}", "no number is written there", (25, 3)),
        (EFFECT, f"{{normal: {{mean: 0, sd: 1}}, relative_to: {EFFECT}}}", "is the prior's own path", (25, None)),
    ],
)
def test_faults_are_told_at_their_place(write, path, text, message, place):
    told = fault(write, path, text)
    assert message in told.message
    assert told.line == place[0]
    assert place[1] in (None, told.column)
    assert told.path.startswith("priors.")


def test_a_fault_inside_a_mixture_is_told_there(write):
    told = fault(write, EFFECT, "{mixture: [{weight: 1, evidence: nothing}, {weight: 1, discrete: {values: [0]}}]}")
    assert told.path == f"priors.{EFFECT}.mixture.0.evidence"


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        ("[{pair: [a.b, dropout.missing_by.14], rank: 0.5}]", "there is no prior of 'a.b'"),
        (f"[{{pair: [{EFFECT}, {EFFECT}], rank: 0.5}}]", "names one path twice"),
        (
            f"[{{pair: [{EFFECT}, {MISSING}], rank: 0.5}}, {{pair: [{MISSING}, {EFFECT}], rank: 0.4}}]",
            "are correlated twice",
        ),
    ],
)
def test_faults_of_correlations(write, correlation, message):
    lines = (f"  {MISSING}: {{beta: {{mean: 0.1, sd: 0.05}}}}", f"prior_correlations: {correlation}")
    told = fault(write, EFFECT, "{normal: {mean: -2, sd: 1}}", *lines)
    assert message in told.message
    assert told.path.startswith("prior_correlations")


def test_impossible_correlations_are_refused(write):
    third = "outcomes.qids_sr16.post_sd"
    pairs = ((EFFECT, MISSING, 0.9), (EFFECT, third, 0.9), (MISSING, third, -0.9))
    listed = ", ".join(f"{{pair: [{a}, {b}], rank: {r}}}" for a, b, r in pairs)
    lines = (
        f"  {MISSING}: {{beta: {{mean: 0.1, sd: 0.05}}}}",
        f"  {third}: {{lognormal: {{median: 6, log_sd: 0.1}}}}",
        f"prior_correlations: [{listed}]",
    )
    told = fault(write, EFFECT, "{normal: {mean: -2, sd: 1}}", *lines)
    assert "cannot hold together" in told.message
    assert "weaken one, or leave one out" in told.message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("effects.ketamine.specific_share", Range(0.0, 1.0, whole=False)),
        (EFFECT, Range(-math.inf, math.inf, whole=False)),
        ("outcomes.qids_sr16.post_sd", Range(0.0, math.inf, whole=False)),
        (MISSING, Range(0.0, 1.0, whole=False)),
        ("covariance.outcomes.0.later", Range(-1.0, 1.0, whole=False)),
        ("clusters.sites.number", Range(2.0, 10_000.0, whole=True)),
        ("dropout.model", None),
        ("nothing.here", None),
    ],
)
def test_the_range_of_a_value_is_that_of_the_schema(path, expected):
    assert range_of(path) == expected


def test_priors_move_no_number_of_a_run(write):
    plain = resolve(load(write()))
    open_ = resolve(load(with_priors(write, "priors:", f"  {EFFECT}: {{normal: {{mean: -2, sd: 1}}}}")))
    assert open_.hash == plain.hash
    told = {row.path: row for row in open_.provenance}[f"priors.{EFFECT}"]
    assert told.source == "given"
    assert told.value == "normal(mean -2, sd 1)"
    assert "central 95 % -3.96 to -0.04004" in told.note


def test_explain_tells_the_sources_of_a_prior_from_the_catalogue(write):
    name = "priors.ketamine_vs_midazolam.qids_sr16.robust"
    resolved = resolve(load(with_priors(write, "priors:", f"  {EFFECT}: {name}")))
    told = {row.path: row for row in resolved.provenance}[f"priors.{EFFECT}"]
    assert (told.source, told.tag) == ("evidence", "assumed")
    assert name in told.note
    assert "danayan2023" in told.note


# What is drawn --------------------------------------------------------------------------------------------------


def test_draws_have_the_priors_margins_and_rank_correlation(write):
    scenario = load(
        with_priors(
            write,
            "priors:",
            f"  {EFFECT}: {{normal: {{mean: -2, sd: 1}}}}",
            f"  {MISSING}: {{beta: {{mean: 0.1, sd: 0.05}}}}",
            f"prior_correlations: [{{pair: [{EFFECT}, {MISSING}], rank: 0.6}}]",
        )
    )
    drawn = draw_priors(scenario, 4_000)
    effect, missing = drawn.values.T
    assert (effect.mean(), effect.std()) == pytest.approx((-2.0, 1.0), abs=0.01)
    # Correlated columns are spread less evenly than independent ones: 4.9 standard errors of independent draws.
    assert missing.mean() == pytest.approx(0.1, abs=4.9 * 0.05 / math.sqrt(4_000))
    ranks = [column.argsort().argsort() for column in (effect, missing)]
    spearman = sum((a - 1999.5) * (b - 1999.5) for a, b in zip(*ranks, strict=True)) / (4_000 * (4_000**2 - 1) / 12)
    assert spearman == pytest.approx(0.6, abs=4.9 * 0.012)


def test_another_prior_moves_nobody_elses_draws(write):
    one = load(with_priors(write, "priors:", f"  {EFFECT}: {{normal: {{mean: -2, sd: 1}}}}"))
    alone = draw_priors(one, 100)
    two = load(
        with_priors(
            write,
            "priors:",
            f"  {MISSING}: {{beta: {{mean: 0.1, sd: 0.05}}}}",
            f"  {EFFECT}: {{normal: {{mean: -2, sd: 1}}}}",
        )
    )
    both = draw_priors(two, 100)
    assert (both.values[:, both.paths.index(EFFECT)] == alone.values[:, 0]).all()


def test_a_difference_is_added_to_what_is_drawn_elsewhere(write):
    paths = [f"effects.ketamine.points.madrs.{stratum}" for stratum in ("bpd", "no_bpd")]
    scenario = load(
        write(
            ("madrs: -5.0", "madrs: {bpd: -5, no_bpd: -5}"),
            (
                "seed: 7}\n",
                "seed: 7}\npriors:\n"
                f"  {paths[0]}: {{normal: {{mean: 1, sd: 0.001}}, relative_to: {paths[1]}}}\n"
                f"  {paths[1]}: {{normal: {{mean: -5, sd: 2}}}}\n",
            ),
        )
    )
    drawn = draw_priors(scenario, 200)
    first, second = (drawn.values[:, drawn.paths.index(path)] for path in paths)
    assert (first - second) == pytest.approx(1.0, abs=0.01)
    assert second.std() == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("specific_share.placebo", "did you mean 'priors.specific_share.saline'"),
        ("specific_share", "there is priors.specific_share.midazolam and priors.specific_share.saline"),
        ("nothing.known", "there are priors of accrual, bpd_interaction"),
    ],
)
def test_an_unknown_prior_is_looked_for_within_its_group(named, said):
    with pytest.raises(InputError, match=re.escape(said)):
        load(QUICK, settings={"priors": {"effects.ketamine.specific_share": named}})
