"""Priors: closed forms, distribution functions against quadrature and each other, and every named prior."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate, stats

from trialsim import evidence
from trialsim.evidence import Prior, pooling
from trialsim.evidence.priors import PARAMETERS, pooling_prior
from trialsim.evidence.types import TAGS

Z95 = 1.959963984540054


def made(kind, components=(), weights=(), **parameters):
    return Prior(kind=kind, parameters=tuple(parameters.items()), components=components, weights=weights)


SIMPLE = {
    "normal": (made("normal", mean=-2.0, sd=1.3), stats.norm(-2.0, 1.3)),
    "t": (made("t", df=5.0, location=-0.5, scale=0.2), stats.t(5.0, -0.5, 0.2)),
    "lognormal": (made("lognormal", median=5.3, log_sd=0.3), stats.lognorm(0.3, scale=5.3)),
    "beta": (made("beta", a=2.4, b=4.6), stats.beta(2.4, 4.6)),
    "gamma": (made("gamma", shape=3.0, scale=1.7), stats.gamma(3.0, scale=1.7)),
    "uniform": (made("uniform", low=-3.0, high=-1.0), stats.uniform(-3.0, 2.0)),
    "triangular": (made("triangular", low=-6.0, mode=-2.0, high=1.0), stats.triang(4.0 / 7.0, -6.0, 7.0)),
}
CHANGE, SHARE = made("normal", mean=-6.0, sd=0.8), SIMPLE["beta"][0]
PRODUCT = made("product", (CHANGE, SHARE))
MIXTURE = made("mixture", (made("normal", mean=0.0, sd=1.4), PRODUCT), (0.3, 0.7))
U = (np.arange(40_000) + 0.5) / 40_000


@pytest.mark.parametrize("kind", SIMPLE)
def test_simple_kinds_are_those_of_scipy(kind):
    prior, reference = SIMPLE[kind]
    x = reference.ppf(np.array([[0.001, 0.3], [0.5, 0.999]]))
    np.testing.assert_allclose(prior.cdf(x), reference.cdf(x), rtol=1e-9)
    np.testing.assert_allclose(prior.quantile(reference.cdf(x)), x, rtol=1e-9)
    assert prior.mean == pytest.approx(reference.mean(), rel=1e-9)
    assert prior.sd == pytest.approx(reference.std(), rel=1e-9)


@pytest.mark.parametrize("x", [-9.0, -6.0, -4.0, -2.0, -1.0, -0.3, -0.05, 0.0])
def test_a_product_is_the_integral_over_its_second_factor(x):
    share = SIMPLE["beta"][1]
    exact, _ = integrate.quad(
        lambda s: stats.norm.cdf(x / s, -6.0, 0.8) * share.pdf(s), 0.0, 1.0, epsabs=1e-12, limit=500
    )
    assert PRODUCT.cdf(x) == pytest.approx(exact, abs=1e-6)


def test_a_product_with_a_lognormal_factor():
    scale = made("lognormal", median=1.8, log_sd=0.1)
    product = made("product", (SIMPLE["normal"][0], scale))
    assert made("product", (scale, scale)).quantile(0.8) == pytest.approx(
        1.8**2 * math.exp(0.1 * math.sqrt(2) * stats.norm.ppf(0.8)), rel=1e-6
    )
    draws = product.sample(U)
    assert draws.mean() == pytest.approx(product.mean, abs=1e-4)
    assert draws.std() == pytest.approx(product.sd, abs=1e-3)


def test_moments_of_products_and_mixtures_are_those_of_their_quantiles():
    for prior in (PRODUCT, MIXTURE):
        draws = prior.sample(U)
        assert draws.mean() == pytest.approx(prior.mean, abs=1e-4)
        assert draws.std() == pytest.approx(prior.sd, abs=1e-3)


def test_a_mixture_is_the_weighted_sum_of_its_parts():
    x = np.linspace(-8.0, 3.0, 23)
    expected = 0.3 * MIXTURE.components[0].cdf(x) + 0.7 * PRODUCT.cdf(x)
    np.testing.assert_allclose(MIXTURE.cdf(x), expected, rtol=1e-12)


@pytest.mark.parametrize("prior", [PRODUCT, MIXTURE, *(prior for prior, _ in SIMPLE.values())])
def test_quantiles_invert_the_distribution_function(prior):
    q = np.concatenate([[1e-9, 1e-4], np.linspace(0.01, 0.99, 99), [1 - 1e-6]]).reshape(6, 17)
    x = prior.quantile(q)
    assert x.shape == q.shape
    assert np.all(np.diff(x.ravel()) > 0)
    np.testing.assert_allclose(prior.cdf(x), q, atol=1e-12)


def test_quantiles_do_not_depend_on_what_else_is_asked():
    q = np.random.default_rng(5).random(200)
    for prior in (PRODUCT, MIXTURE):
        together = prior.quantile(q)
        np.testing.assert_allclose([prior.quantile(float(one)) for one in q], together, rtol=1e-10)


def test_a_mixture_of_a_bounded_and_an_unbounded_part_reaches_its_ends():
    mixed = made("mixture", (SIMPLE["beta"][0], SIMPLE["normal"][0]), (0.5, 0.5))
    assert (mixed.quantile(0.0), mixed.quantile(1.0)) == (-math.inf, math.inf)
    two = made("mixture", (SIMPLE["beta"][0], made("beta", a=1.0, b=9.0)), (0.5, 0.5))
    assert (two.quantile(0.0), two.quantile(1.0)) == (0.0, 1.0)


def test_draws_of_exactly_zero_and_one_are_finite():
    for prior in (PRODUCT, MIXTURE, SIMPLE["normal"][0], SIMPLE["lognormal"][0]):
        assert np.all(np.isfinite(prior.sample(np.array([0.0, 1.0]))))


def test_one_number_gives_a_number_and_an_array_an_array():
    for prior in (MIXTURE, SIMPLE["beta"][0]):
        assert isinstance(prior.quantile(0.5), float)
        assert isinstance(prior.cdf(0.5), float)
        assert prior.cdf(np.array([0.5])).shape == (1,)
    with pytest.raises(ValueError, match="between 0 and 1"):
        MIXTURE.quantile(1.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        MIXTURE.quantile(np.array([0.5, np.nan]))


TRUNCATED = {
    "both": (-4.0, -1.0),
    "above": (-math.inf, -1.5),
    "below": (-2.0, math.inf),
}


@pytest.mark.parametrize("ends", TRUNCATED.values(), ids=TRUNCATED)
def test_a_truncated_normal_is_that_of_scipy(ends):
    prior = made("truncated", (SIMPLE["normal"][0],), low=ends[0], high=ends[1])
    reference = stats.truncnorm((ends[0] + 2.0) / 1.3, (ends[1] + 2.0) / 1.3, -2.0, 1.3)
    x = reference.ppf(np.array([0.001, 0.3, 0.7, 0.999]))
    np.testing.assert_allclose(prior.cdf(x), reference.cdf(x), rtol=1e-9)
    np.testing.assert_allclose(prior.quantile(reference.cdf(x)), x, rtol=1e-8)
    assert prior.mean == pytest.approx(reference.mean(), abs=1e-5)
    assert prior.sd == pytest.approx(reference.std(), abs=1e-4)
    assert prior.support == ends
    assert (prior.cdf(ends[0]), prior.cdf(ends[1])) == pytest.approx((0.0, 1.0))


def test_discrete_values_have_their_weights():
    prior = Prior(kind="discrete", values=(-3.0, 0.0, 2.0), weights=(0.2, 0.5, 0.3))
    np.testing.assert_array_equal(prior.cdf(np.array([-3.1, -3.0, -0.1, 0.0, 1.9, 2.0])), [0, 0.2, 0.2, 0.7, 0.7, 1])
    np.testing.assert_array_equal(prior.quantile(np.array([0.0, 0.2, 0.21, 0.7, 0.71, 1.0])), [-3, -3, 0, 0, 2, 2])
    assert (prior.mean, prior.sd) == pytest.approx((0.0, math.sqrt(3.0)))
    assert prior.support == (-3.0, 2.0)


def test_a_lump_in_a_mixture_is_met_exactly():
    lump = Prior(kind="discrete", values=(0.0,), weights=(1.0,))
    mixed = made("mixture", (lump, made("normal", mean=-2.0, sd=1.0)), (0.25, 0.75))
    draws = mixed.sample(U)
    assert np.mean(draws == 0.0) == pytest.approx(0.25, abs=1e-4)
    assert draws.mean() == pytest.approx(mixed.mean, abs=1e-4)
    assert draws.std() == pytest.approx(mixed.sd, abs=1e-3)
    assert np.all(np.diff(draws) >= 0.0)


@pytest.mark.parametrize(
    ("prior", "support"),
    [
        (CHANGE, (-math.inf, math.inf)),
        (SHARE, (0.0, 1.0)),
        (SIMPLE["gamma"][0], (0.0, math.inf)),
        (SIMPLE["uniform"][0], (-3.0, -1.0)),
        (PRODUCT, (-math.inf, math.inf)),
        (made("product", (SIMPLE["uniform"][0], SHARE)), (-3.0, 0.0)),
        (made("mixture", (SIMPLE["uniform"][0], SHARE), (0.5, 0.5)), (-3.0, 1.0)),
    ],
)
def test_support(prior, support):
    assert prior.support == support


def test_a_t_without_moments_says_so():
    assert math.isnan(made("t", df=1.0, location=0.0, scale=1.0).mean)
    assert math.isnan(made("t", df=1.0, location=0.0, scale=1.0).sd)
    assert made("t", df=2.0, location=0.0, scale=1.0).sd == math.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "cauchy"}, "kind 'cauchy' is none of normal"),
        ({"kind": "uniform", "parameters": (("low", 1.0), ("high", 1.0))}, "low must be below high"),
        ({"kind": "triangular", "parameters": (("low", 0.0), ("mode", 2.0), ("high", 1.0))}, "mode must lie"),
        ({"kind": "discrete", "values": (1.0, 0.0), "weights": (0.5, 0.5)}, "must rise"),
        ({"kind": "discrete", "values": (1.0,), "weights": (0.5, 0.5)}, "a weight for each"),
        ({"kind": "truncated", "parameters": (("low", 0.0), ("high", 1.0))}, "one component"),
        (
            {"kind": "truncated", "parameters": (("low", 2.0), ("high", math.inf)), "components": (SHARE,)},
            "next to nothing of",
        ),
        ({"kind": "normal", "parameters": (("mean", 0.0),)}, "a normal takes mean, sd"),
        ({"kind": "normal", "parameters": (("mean", 0.0), ("sd", 0.0))}, "sd must be above 0"),
        ({"kind": "normal", "parameters": (("mean", math.nan), ("sd", 1.0))}, "not finite"),
        ({"kind": "beta", "parameters": (("a", -1.0), ("b", 1.0))}, "a must be above 0"),
        ({"kind": "mixture", "components": (CHANGE,), "weights": (1.0,)}, "two components or more"),
        ({"kind": "mixture", "components": (CHANGE, CHANGE), "weights": (0.5, 0.6)}, "add to 1"),
        ({"kind": "mixture", "components": (CHANGE, CHANGE), "weights": (0.0, 1.0)}, "above 0"),
        ({"kind": "product", "components": (SHARE, CHANGE)}, "second lognormal or beta"),
        ({"kind": "product", "components": (CHANGE, SHARE), "weights": (0.5, 0.5)}, "only a mixture has weights"),
        ({"kind": "normal", "parameters": CHANGE.parameters, "components": (SHARE,)}, "has components"),
        ({"kind": "normal", "parameters": CHANGE.parameters, "tag": "sure"}, "tag 'sure'"),
    ],
)
def test_what_is_not_a_distribution_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Prior(**arguments)


def test_components_of_a_mixture_share_their_unit():
    points = Prior(kind="normal", parameters=CHANGE.parameters, unit="points")
    with pytest.raises(ValueError, match="differ in unit"):
        made("mixture", (points, CHANGE), (0.5, 0.5))


# --- the named priors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", evidence.prior_names())
def test_every_named_prior_can_be_judged_and_used(name):
    prior = evidence.prior(name)
    assert prior.name == name
    assert tuple(key for key, _ in prior.parameters) == PARAMETERS[prior.kind]
    assert prior.unit
    assert prior.origin.endswith(".")
    assert set(prior.citations) <= set(evidence.citation_keys())
    assert prior.citations
    assert math.isfinite(prior.mean)
    assert math.isfinite(prior.sd)
    low, middle, high = prior.quantile(np.array([0.025, 0.5, 0.975]))
    assert low < middle < high
    assert pickle.loads(pickle.dumps(prior)) == prior  # noqa: S301
    everything = (*evidence.names(), *evidence.prior_names(), *evidence.study_set_names())
    assert set(prior.derived_from) <= set(everything)


@pytest.mark.parametrize("name", evidence.prior_names())
def test_no_prior_is_better_known_than_what_it_is_made_of(name):
    prior = evidence.prior(name)
    parts = [evidence.prior(part).tag for part in prior.derived_from if evidence.has_prior(part)]
    parts += [evidence.get(part).tag for part in prior.derived_from if evidence.has(part)]
    # How wide a range worth sweeping is taken to be is an assumption of its own.
    swept = prior.derived_from[0] if evidence.has(prior.derived_from[0]) else ""
    if swept and evidence.get(swept).spread_kind == "range" and "range" in prior.origin:
        parts.append("assumed")
    if prior.kind == "mixture":
        parts.append("assumed")
    assert TAGS.index(prior.tag) >= max((TAGS.index(tag) for tag in parts), default=0)


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("priors.ketamine_vs_midazolam.madrs.day1", -7.95, (12.71 - 3.20) / (2 * Z95)),
        ("priors.ketamine_vs_midazolam.qids_sr16.controlled", -0.002, 5.42 / (2 * Z95)),
        ("priors.ketamine_vs_midazolam.standardised.day1_trials", -0.49, 0.77 / (2 * Z95)),
        ("priors.specific_share.midazolam", 0.34, 0.66 / (2 * Z95)),
        ("priors.response.midazolam", 0.18, 0.24 / (2 * Z95)),
        ("priors.dropout.missing_by_day_14", 0.07, 0.17 / (2 * Z95)),
        ("priors.control_change.madrs.placebo_week1", -4.9, 1.74),
        ("priors.bpd_interaction.qids_sr16", 0.0, 1.0),
    ],
)
def test_named_priors_have_the_moments_of_their_sources(name, mean, sd):
    prior = evidence.prior(name)
    assert prior.mean == pytest.approx(mean, rel=1e-9)
    assert prior.sd == pytest.approx(sd, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("priors.spread.madrs.post_sd", "defaults.spread.madrs.post_sd"),
        ("priors.dropout.bpd_hazard_ratio", "defaults.dropout.bpd_hazard_ratio"),
        ("priors.relapse.maintenance_hazard_ratio", "daly2019.remitters.hazard_ratio"),
        ("priors.accrual.trd_bpd", "defaults.accrual.trd_bpd"),
    ],
)
def test_lognormal_priors_have_the_source_as_median_and_the_width_of_its_interval(name, source):
    prior, quantity = evidence.prior(name), evidence.get(source)
    assert prior.quantile(0.5) == pytest.approx(quantity.value, rel=1e-12)
    low, high = prior.quantile(np.array([0.025, 0.975]))
    assert high / low == pytest.approx(quantity.high / quantity.low, rel=1e-9)


def test_open_label_errors_follow_from_the_default_spreads():
    def error(outcome):
        before = evidence.get(f"defaults.trd_bpd.{outcome}.baseline").spread
        after = evidence.get(f"defaults.spread.{outcome}.post_sd").value
        r = evidence.get(f"defaults.correlation.baseline_to_later.{outcome}").value
        n = evidence.get(f"danayan2023.bpd.{outcome}.change").n
        return math.sqrt((before**2 + after**2 - 2 * r * before * after) / n)

    qids, bsl = evidence.prior("priors.open_label.qids_sr16.bpd"), evidence.prior("priors.open_label.bsl23.bpd")
    assert (qids.mean, bsl.mean) == (-5.95, -0.64)
    assert qids.sd == pytest.approx(error("qids_sr16"), rel=0.002)
    assert bsl.sd == pytest.approx(error("bsl23"), rel=0.005)
    rate = evidence.get("defaults.spread.madrs.points_per_qids_point")
    madrs = evidence.prior("priors.open_label.madrs.bpd")
    assert madrs.mean == pytest.approx(qids.mean * rate.value, rel=1e-12)
    relative = math.hypot(qids.sd / qids.mean, pooling.standard_error(rate) / rate.value)
    assert madrs.sd == pytest.approx(-madrs.mean * relative, rel=0.005)


def test_sceptical_priors_give_the_planning_effect_one_chance_in_twenty():
    for outcome in ("qids_sr16", "madrs", "bsl23"):
        prior = evidence.prior(f"priors.ketamine_vs_midazolam.{outcome}.sceptical")
        planned = evidence.get(f"defaults.net.midazolam.bpd.{outcome}").value
        assert prior.mean == 0.0
        assert prior.cdf(planned) == pytest.approx(0.05, abs=0.001)


def test_the_saline_share_carries_the_interval_of_the_controlled_effect():
    smd, change = evidence.get("dean2021.saline.smd"), evidence.get("alnefeesi2022.pre_post")
    share = evidence.prior("priors.specific_share.saline")
    assert share.sd == pytest.approx(-pooling.standard_error(smd) / change.value, rel=0.005)


@pytest.mark.parametrize("control", ["midazolam", "saline"])
@pytest.mark.parametrize("outcome", ["qids_sr16", "madrs", "bsl23"])
def test_discounted_effects_carry_both_uncertainties(control, outcome):
    change = evidence.prior(f"priors.open_label.{outcome}.bpd")
    share = evidence.prior(f"priors.specific_share.{control}")
    effect = evidence.prior(f"priors.ketamine_vs_{control}.{outcome}.discounted")
    assert effect.components == (change, share)
    assert effect.mean == pytest.approx(change.mean * share.mean, rel=1e-12)
    variance = (change.sd * share.mean) ** 2 + (change.mean * share.sd) ** 2 + (change.sd * share.sd) ** 2
    assert effect.sd == pytest.approx(math.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("outcome", ["qids_sr16", "madrs"])
def test_robust_priors_lie_between_their_halves(outcome):
    base = f"priors.ketamine_vs_midazolam.{outcome}"
    robust, controlled, discounted = (
        evidence.prior(f"{base}.{kind}") for kind in ("robust", "controlled", "discounted")
    )
    assert robust.mean == pytest.approx((controlled.mean + discounted.mean) / 2, rel=1e-12)
    assert robust.cdf(-2.0) == pytest.approx((controlled.cdf(-2.0) + discounted.cdf(-2.0)) / 2, rel=1e-12)
    assert robust.tag == "assumed"


def test_a_t_of_published_trials_has_their_variance_and_k_minus_two_degrees_of_freedom():
    prior = evidence.prior("priors.dbt_vs_control.bpd_severity.five_trials")
    error = pooling.standard_error(evidence.get("metapsy2023.dbt.bpd_scales"))
    assert prior["df"] == 3.0
    assert prior["scale"] == pytest.approx(math.sqrt(error**2 + 0.019), rel=1e-12)


# --- pooled effects as priors -------------------------------------------------------------------------------------


def six_trials():
    effects = tuple(
        evidence.StudyEffect(
            name=f"trial {i}", estimate=y, se=0.4, unit="points", n=50, time="", basis="", tag="measured", citation=""
        )
        for i, y in enumerate([-1.0, -2.5, -0.2, -3.0, -1.7, -2.2])
    )
    return evidence.pool(evidence.StudySet(name="six", label="Six trials", unit="points", effects=effects))


def test_the_t_of_a_pooled_mean_is_its_hartung_knapp_interval():
    pooled = six_trials()
    prior = pooling_prior(pooled, of="mean", shape="t")
    assert (prior["df"], prior["location"]) == (5.0, pooled.mean)
    assert prior["scale"] == pytest.approx(pooled.se, rel=1e-12)
    assert prior.quantile(0.975) == pytest.approx(pooled.high, rel=1e-12)


def test_the_t_of_a_new_trial_is_the_prediction_interval():
    pooled = six_trials()
    prior = pooling_prior(pooled, of="new_trial", shape="t")
    assert prior["df"] == 4.0
    assert prior.quantile(0.025) == pytest.approx(pooled.predictive_low, rel=1e-12)


def test_the_normal_of_a_new_trial_adds_the_variance_between_trials():
    pooled = six_trials()
    mean, new = pooling_prior(pooled, of="mean"), pooling_prior(pooled, of="new_trial")
    assert mean.sd == pytest.approx(max(pooled.se, pooled.se_model), rel=1e-12)
    assert new.sd**2 - mean.sd**2 == pytest.approx(pooled.tau2, rel=1e-9)
    assert "6 comparisons" in new.origin


@pytest.mark.parametrize(
    ("pooled", "arguments", "message"),
    [
        ("pools.ketamine_vs_midazolam.madrs.day1", {"of": "new_trial"}, "one study"),
        ("pools.ketamine_vs_saline.madrs.week2", {"of": "mean", "shape": "t"}, "has no SD"),
        ("pools.ketamine_vs_saline.madrs.week2", {"of": "median"}, "normal of median"),
        ("pools.ketamine_vs_saline.madrs.week2", {"of": "mean", "shape": "beta"}, "not a beta of mean"),
    ],
)
def test_pools_that_cannot_become_such_a_prior_are_refused(pooled, arguments, message):
    with pytest.raises(ValueError, match=message):
        pooling_prior(evidence.pool(pooled), **arguments)


def test_an_unknown_prior_names_the_nearest():
    with pytest.raises(evidence.UnknownEvidenceError, match=r"priors\.spread\.madrs\.post_sd"):
        evidence.prior("priors.spread.madrs.postsd")


def test_looking_a_prior_up_imports_no_numerics():
    code = (
        "import sys; from trialsim import evidence; p = evidence.prior('priors.dropout.never_starts'); p.mean; p.sd; "
        "sys.exit(', '.join({'numpy', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
