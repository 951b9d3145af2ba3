"""The data files: every name that others rely on, every source, and the arithmetic of what is derived."""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pytest

from trialsim import evidence
from trialsim.evidence import store
from trialsim.kernels.infusion_course import approach

OUTCOMES = ("bsl23", "cssrs_ideation", "gad7", "madrs", "qids_si", "qids_sr16", "sds")
GROUPS = ("bpd", "no_bpd")


def value(name):
    found = evidence.get(name).value
    assert found is not None, name
    return found


def per_outcome_names():
    for outcome in OUTCOMES:
        for group in GROUPS:
            yield f"defaults.trd_{group}.{outcome}.baseline"
            yield from (f"defaults.{arm}.{group}.{outcome}.change" for arm in ("open_label", "midazolam", "saline"))
            yield f"defaults.net.midazolam.{group}.{outcome}"
        yield from (f"defaults.spread.{outcome}.{kind}" for kind in ("post_sd", "residual_sd"))
    for first, second in combinations(OUTCOMES, 2):
        yield from (f"defaults.correlation.{first}.{second}.{when}" for when in ("baseline", "later"))


@pytest.mark.parametrize("name", list(per_outcome_names()))
def test_every_outcome_has_every_default(name):
    assert math.isfinite(value(name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("danayan2023.bpd.qids_sr16.change", -5.95),
        ("danayan2023.bpd.bsl23.change", -0.64),
        ("defaults.open_label.no_bpd.qids_sr16.change", -5.95),
        ("defaults.open_label.bpd.madrs.change", -13),
        ("defaults.midazolam.bpd.qids_sr16.change", -3.95),
        ("defaults.saline.no_bpd.bsl23.change", -0.13),
        ("defaults.spread.qids_sr16.post_sd", 5.8),
        ("defaults.spread.qids_sr16.residual_sd", 5.3),
        ("defaults.spread.madrs.post_sd", 11),
        ("defaults.spread.madrs.residual_sd", 10.6),
        ("defaults.spread.bsl23.post_sd", 0.9),
        ("defaults.spread.bsl23.residual_sd", 0.7),
        ("defaults.correlation.visits.lag_3_5", 0.8),
        ("defaults.correlation.visits.lag_14", 0.6),
        ("defaults.correlation.visits.lag_84", 0.45),
        ("defaults.correlation.madrs.qids_sr16.baseline", 0.45),
        ("defaults.correlation.madrs.qids_sr16.later", 0.75),
        ("defaults.timing.infusion_1", 0.45),
        ("defaults.timing.infusion_2", 0.7),
        ("defaults.timing.infusion_3", 0.87),
        ("defaults.timing.infusion_4", 1),
        ("defaults.specific_share.midazolam", 0.34),
        ("defaults.specific_share.saline", 0.6),
        ("defaults.dropout.missing_by_day_14", 0.07),
        ("defaults.dropout.missing_by_day_28", 0.12),
        ("defaults.dropout.missing_by_day_84", 0.2),
        ("defaults.dropout.never_starts", 0.03),
        ("defaults.dropout.bpd_hazard_ratio", 1.3),
        ("defaults.dropout.score_hazard_ratio_per_sd", 1.3),
        ("defaults.bpd_interaction.none", 0),
        ("defaults.site_icc", 0.02),
        ("defaults.cost.infusion", 600),
        ("defaults.accrual.trd", 1.2),
        ("defaults.accrual.trd_bpd", 0.45),
        ("dean2021.midazolam.smd", -0.49),
        ("jelovac2025.qids_sr16.difference", -0.002),
    ],
)
def test_values_are_as_published_or_as_planned(name, expected):
    assert value(name) == expected


def test_danayan_holds_only_what_was_published():
    names = [quantity.name for quantity in evidence.find("danayan2023")]
    assert names == ["danayan2023.bpd.qids_sr16.change", "danayan2023.bpd.bsl23.change", "danayan2023.difference"]
    assert evidence.get("danayan2023.difference").value is None


def test_baselines_carry_a_standard_deviation():
    for outcome in OUTCOMES:
        for group in GROUPS:
            assert evidence.get(f"defaults.trd_{group}.{outcome}.baseline").spread_kind == "sd"


def test_specific_share_is_swept_from_nothing_to_two_thirds():
    for control in ("midazolam", "saline"):
        share = evidence.get(f"defaults.specific_share.{control}")
        assert (share.low, share.high) == (0, 0.66)


@pytest.mark.parametrize("when", ["baseline", "later"])
def test_outcome_correlations_are_positive_definite(when):
    matrix = np.eye(len(OUTCOMES))
    for (i, first), (j, second) in combinations(enumerate(OUTCOMES), 2):
        matrix[i, j] = matrix[j, i] = value(f"defaults.correlation.{first}.{second}.{when}")
    assert np.linalg.eigvalsh(matrix)[0] > 0.2


def test_residual_spread_is_below_the_marginal_one():
    for outcome in OUTCOMES:
        post, residual = (value(f"defaults.spread.{outcome}.{kind}") for kind in ("post_sd", "residual_sd"))
        assert 0.2 < math.sqrt(1 - (residual / post) ** 2) < 0.7


def test_default_means_stay_on_their_scales():
    for outcome in OUTCOMES:
        scale = evidence.instrument(outcome)
        for group in GROUPS:
            start = value(f"defaults.trd_{group}.{outcome}.baseline")
            for arm in ("open_label", "midazolam", "saline"):
                assert scale.minimum < start + value(f"defaults.{arm}.{group}.{outcome}.change") < scale.maximum


# The arithmetic of derived values, with what rounding of the printed result allows.
DERIVED = [
    (
        "defaults.specific_share.midazolam",
        "dean2021.midazolam.smd",
        "alnefeesi2022.pre_post",
        lambda a, b: a / b,
        0.005,
    ),
    ("defaults.specific_share.saline", "dean2021.saline.smd", "alnefeesi2022.pre_post", lambda a, b: a / b, 0.005),
    (
        "matsingos2024.placebo_share.overall",
        "matsingos2024.placebo.pre_post",
        "matsingos2024.drug.pre_post",
        lambda a, b: a / b,
        0.005,
    ),
    (
        "matsingos2024.placebo_share.day_7",
        "matsingos2024.placebo.pre_post.day_7",
        "matsingos2024.drug.pre_post.day_7",
        lambda a, b: a / b,
        0.005,
    ),
    (
        "metapsy2023.kept_share",
        "metapsy2023.control.pre_post",
        "metapsy2023.treated.pre_post",
        lambda a, b: 1 - a / b,
        1e-9,
    ),
    (
        "defaults.net.midazolam.bpd.qids_sr16",
        "danayan2023.bpd.qids_sr16.change",
        "defaults.specific_share.midazolam",
        lambda a, b: a * b,
        0.05,
    ),
    (
        "defaults.net.saline.bpd.bsl23",
        "danayan2023.bpd.bsl23.change",
        "defaults.specific_share.saline",
        lambda a, b: a * b,
        0.005,
    ),
    (
        "defaults.correlation.baseline_to_later.madrs",
        "defaults.spread.madrs.post_sd",
        "defaults.spread.madrs.residual_sd",
        lambda post, residual: math.sqrt(1 - (residual / post) ** 2),
        0.005,
    ),
    (
        "defaults.correlation.baseline_to_later.qids_sr16",
        "defaults.spread.qids_sr16.post_sd",
        "defaults.spread.qids_sr16.residual_sd",
        lambda post, residual: math.sqrt(1 - (residual / post) ** 2),
        0.01,
    ),
    (
        "singh2016.twice_weekly.madrs.difference",
        "singh2016.twice_weekly.ketamine.madrs.change",
        "singh2016.twice_weekly.saline.madrs.change",
        lambda a, b: a - b,
        1e-9,
    ),
    (
        "murrough2013.madrs.effect",
        "murrough2013.madrs.difference",
        "murrough2013.madrs.implied_sd",
        lambda a, b: a / b,
        0.005,
    ),
    (
        "chen2022.difference.day_14",
        "chen2022.high_features.bdi2.change.day_14",
        "chen2022.low_features.bdi2.change.day_14",
        lambda a, b: a - b,
        1e-9,
    ),
]


@pytest.mark.parametrize(("name", "first", "second", "formula", "tolerance"), DERIVED, ids=[row[0] for row in DERIVED])
def test_derived_values_follow_from_what_they_name(name, first, second, formula, tolerance):
    assert value(name) == pytest.approx(formula(value(first), value(second)), abs=tolerance)


@pytest.mark.parametrize(
    ("name", "source", "days"),
    [
        ("murrough2013b.relapse_hazard", "murrough2013b.time_to_relapse", None),
        ("ekstrand2022.ketamine.relapse_hazard", "ekstrand2022.ketamine.time_to_relapse", None),
        ("daly2019.remitters.placebo.relapse_hazard", "daly2019.remitters.placebo.time_to_relapse", None),
        ("mcinnes2022.relapse_hazard.week_4", "mcinnes2022.sustained_response.week_4", 28),
        ("mcinnes2022.relapse_hazard.week_8", "mcinnes2022.sustained_response.week_8", 56),
    ],
)
def test_daily_hazards_follow_from_medians_or_shares(name, source, days):
    hazard = math.log(2) / value(source) if days is None else -math.log(value(source)) / days
    assert value(name) == pytest.approx(hazard, abs=5e-5)


def test_residual_spread_follows_from_a_published_interval():
    difference = evidence.get("jelovac2025.qids_sr16.difference")
    implied = difference.high / 2 * math.sqrt(difference.n) / 2
    assert value("jelovac2025.qids_sr16.implied_residual_sd") == pytest.approx(implied, abs=0.05)


def test_every_quantity_can_be_judged():
    citations = set(evidence.citation_keys())
    for quantity in evidence.find():
        assert quantity.basis.endswith("."), quantity.name
        assert quantity.unit, quantity.name
        assert quantity.citation in citations, quantity.name
        assert quantity.value is not None or quantity.low is not None or quantity.unit == "words", quantity.name
        assert quantity.n is None or (isinstance(quantity.n, int) and quantity.n > 0), quantity.name


def test_what_is_derived_names_quantities_that_exist():
    for quantity in evidence.find():
        assert all(evidence.has(source) for source in quantity.derived_from), quantity.name
        assert quantity.name not in quantity.derived_from


def test_what_has_no_source_or_only_memory_is_assumed():
    for quantity in evidence.find():
        unsourced = quantity.citation in ("assumption", "memory", "duru_fantino2008")
        if unsourced or "from memory" in quantity.basis.lower():
            assert quantity.tag == "assumed", quantity.name


def test_a_measured_default_is_a_number_of_the_study_it_cites():
    rounding = {"share": 0.005, "hazard ratio": 0.011}  # a share to whole per cents, 0.49 to 0.5
    for quantity in evidence.find("defaults"):
        if quantity.tag != "measured":
            continue
        own = [one for one in evidence.find(quantity.citation) if one.unit == quantity.unit]
        room = rounding.get(quantity.unit, 1e-9)
        numbers = [x for one in own for x in (one.value, one.spread) if x is not None]
        assert any(abs(x - quantity.value) <= room for x in numbers), quantity.name
        if quantity.spread is not None:
            assert quantity.spread in [one.spread for one in own], quantity.name


def test_what_is_derived_does_not_rest_on_assumptions():
    for quantity in evidence.find("defaults"):
        if quantity.tag != "assumed":
            assert all(evidence.get(source).tag != "assumed" for source in quantity.derived_from), quantity.name


def test_medians_and_middles_follow_from_the_numbers_they_name():
    rates = [value(name) for name in evidence.get("defaults.accrual.trd").derived_from]
    assert value("defaults.accrual.trd") == np.median(rates)
    for name, room in (("trd_bpd.age", 0.5), ("trd_bpd.female", 0.005), ("spread.bsl23.post_sd", 0.05)):
        sources = [evidence.get(source) for source in evidence.get(f"defaults.{name}").derived_from]
        middle = np.mean([one.spread if name.startswith("spread") else one.value for one in sources])
        assert abs(value(f"defaults.{name}") - middle) <= room, name
    price = evidence.get("ketamine_prices.infusion")
    assert value("defaults.cost.infusion") == (price.low + price.high) / 2


def test_the_basis_of_the_natural_course_says_what_the_formula_gives():
    basis = evidence.get("defaults.infusion_course.natural_half_time_days").basis
    half_time = value("defaults.infusion_course.natural_half_time_days")
    reached = {day: 100 * approach([day], h)[0] / approach([14], h)[0] for day, h in ((1, half_time), (3, half_time))}
    assert f"Only {reached[1]:.0f} per cent" in basis
    assert f"({reached[3]:.0f}, " in basis
    assert f"{reached[1] / 100 * value('defaults.midazolam.bpd.madrs.change'):.1f} of the -8" in basis


def test_shares_and_correlations_are_within_their_bounds():
    for quantity in evidence.find():
        numbers = [x for x in (quantity.value, quantity.low, quantity.high) if x is not None]
        if quantity.unit == "share" and not quantity.name.endswith("difference"):
            assert all(0 <= x <= 1 for x in numbers), quantity.name
        if quantity.unit == "correlation":
            assert all(-1 <= x <= 1 for x in numbers), quantity.name


def test_values_lie_within_their_own_interval():
    for quantity in evidence.find():
        if quantity.value is not None and quantity.low is not None:
            assert quantity.low <= quantity.value <= quantity.high, quantity.name


def test_dois_have_the_shape_of_a_doi_and_belong_to_one_publication():
    dois = [citation.doi for citation in evidence.citations() if citation.doi]
    assert all(re.fullmatch(r"10\.\d{4,9}/\S+", doi) for doi in dois)
    assert len(dois) == len(set(dois))


def test_every_publication_is_used():
    used = {quantity.citation for quantity in evidence.find()} | {scale.citation for scale in evidence.instruments()}
    assert used == set(evidence.citation_keys())


def test_instruments_are_consistent():
    for scale in evidence.instruments():
        assert scale.minimum < scale.maximum
        steps = (scale.maximum - scale.minimum) / scale.step
        assert steps == pytest.approx(round(steps), abs=1e-9), scale.name
        for grades in (scale.bands, *(other.bands for other in scale.alternative_bands)):
            lows = [band.low for band in grades]
            assert lows == sorted(lows), scale.name
            assert not grades or (grades[0].low, grades[-1].high) == (scale.minimum, scale.maximum), scale.name
        assert (scale.mcid is None) == (not scale.mcid_quantity), scale.name
        if scale.mcid_quantity:
            assert value(scale.mcid_quantity) == scale.mcid, scale.name


def test_no_data_file_is_left_out():
    files = {path.stem for path in store.DATA.rglob("*.toml")}
    prefixes = {prefix.rpartition(".")[2] for prefix, _, _ in evidence.overview()} - {"pools"}
    pools = {name.split(".")[1] for name in evidence.study_set_names()}
    assert files == prefixes | pools | {"citations"}
