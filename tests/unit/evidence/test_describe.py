"""Evidence in words: table rows, descriptions, and the page for the documentation."""

from __future__ import annotations

import pytest

from trialsim import evidence


def test_rows_have_one_text_per_column():
    row = evidence.table_row(evidence.get("dean2021.midazolam.smd"))
    assert len(row) == len(evidence.TABLE_COLUMNS)
    assert row == (
        "dean2021.midazolam.smd",
        "-0.49 standardised difference",
        "95% CI -0.87 to -0.1",
        "297",
        "measured",
        "dean2021",
    )


@pytest.mark.parametrize(
    ("name", "shown", "spread"),
    [
        ("defaults.trd_bpd.madrs.baseline", "34.5 points", "SD 5.8"),
        ("defaults.specific_share.midazolam", "0.34 share", "range 0 to 0.66"),
        ("danayan2023.bpd.bsl23.change", "-0.64 mean item score", ""),
        ("danayan2023.difference", "in words", ""),
        ("ketamine_prices.infusion", "400 to 800 USD", "range 400 to 800"),
        ("murrough2013b.time_to_relapse", "18 days", "IQR 11 to 27"),
        ("daly2018.placebo.madrs.change.week_1", "-4.9 points", "SE 1.74"),
        ("alnefeesi2022.response", "0.45 share", "± 0.1"),
    ],
)
def test_values_and_spreads_in_words(name, shown, spread):
    assert evidence.table_row(evidence.get(name))[1:3] == (shown, spread)


def test_describe_a_quantity_says_all():
    about = evidence.describe("defaults.specific_share.midazolam")
    facts = dict(about.facts)
    assert about.title == "defaults.specific_share.midazolam"
    assert about.quantities == ()
    assert facts["tag"] == "derived"
    assert "dean2021.midazolam.smd" in facts["derived from"]
    assert facts["link"] == "https://doi.org/10.1016/j.jpsychires.2022.04.037"


def test_describe_a_studys_quantity_tells_its_design():
    facts = dict(evidence.describe("fineberg2023.dropout").facts)
    assert facts["study"].startswith("Fineberg 2023")
    assert "double blind" in facts["design"]


def test_describe_a_study_lists_its_quantities():
    about = evidence.describe("singh2016")
    assert about.quantities == evidence.find("singh2016")
    assert dict(about.facts)["n"] == "67"


@pytest.mark.parametrize("name", ["bsl23", "instruments.bsl23"])
def test_describe_an_instrument_by_either_name(name):
    facts = dict(evidence.describe(name).facts)
    assert facts["range"] == "0 to 4 mean item score in steps of 0.04348"
    assert "grades (abstract)" in facts


def test_describe_a_prefix_lists_what_is_below():
    about = evidence.describe("defaults.spread.madrs")
    assert {quantity.name for quantity in about.quantities} >= {"defaults.spread.madrs.post_sd"}
    assert evidence.describe("defaults.spread").title == evidence.section("defaults.spread").label
    assert len(evidence.describe("defaults").quantities) == len(evidence.find("defaults"))


def test_describe_a_publication_lists_who_cites_it():
    about = evidence.describe("ids_qids_org")
    assert all(quantity.citation == "ids_qids_org" for quantity in about.quantities)
    assert about.quantities


@pytest.mark.parametrize(
    ("name", "nearest"), [("qids_sr61", "qids_sr16"), ("sing2016", "singh2016"), ("default.spread", "defaults.spread")]
)
def test_describe_names_the_nearest(name, nearest):
    with pytest.raises(evidence.UnknownEvidenceError, match=nearest):
        evidence.describe(name)


def test_describe_nothing_is_refused():
    with pytest.raises(evidence.UnknownEvidenceError):
        evidence.describe("")


def test_everything_can_be_described_without_empty_facts():
    keys = [prefix for prefix, _, count in evidence.overview() if count or prefix.startswith("instruments.")]
    made = (*evidence.prior_names(), *evidence.study_set_names())
    for name in (*keys, *evidence.names(), *evidence.citation_keys(), *made):
        about = evidence.describe(name)
        assert about.title
        assert all(heading and text for heading, text in about.facts), name


def test_overview_counts_every_entry_once():
    entries = (*evidence.names(), *evidence.prior_names(), *evidence.study_set_names())
    assert sum(count for _, _, count in evidence.overview()) == len(entries)


def test_describe_a_prior_says_what_it_is_made_of():
    about = evidence.describe("priors.ketamine_vs_midazolam.madrs.day1")
    facts = dict(about.facts)
    assert facts["distribution"] == "normal(mean -7.95, sd 2.426)"
    assert facts["central 95 %"] == "-12.7 to -3.2"
    assert "one trial" in facts["origin"]
    assert [quantity.name for quantity in about.quantities] == ["murrough2013.madrs.difference"]


def test_describe_a_set_of_trials_pools_it():
    about = evidence.describe("pools.ketamine_vs_saline.madrs.week2")
    facts = dict(about.facts)
    assert facts["trials"] == "3"
    assert facts["lii2023.madrs.difference.day_14"] == "0.7 (SE 3.67)"
    assert facts["I²"] == "84%"
    assert len(about.quantities) == 3
    assert "95 % prediction interval" not in dict(evidence.describe("pools.ketamine_vs_midazolam.madrs.any_time").facts)


def test_describe_a_group_of_priors_lists_them():
    about = evidence.describe("priors.spread")
    assert about.title.startswith("Spread")
    assert {name for name, _ in about.facts} == set(evidence.priors_of("priors.spread"))
    assert len(evidence.describe("priors.ketamine_vs_midazolam.qids_sr16").facts) == 4
    assert len(evidence.describe("pools").facts) == len(evidence.study_set_names())


@pytest.mark.parametrize("name", ["priors.nothing", "pools.nothing", "priors.spred"])
def test_describe_names_the_nearest_prior_or_pool(name):
    with pytest.raises(evidence.UnknownEvidenceError, match="no evidence is called"):
        evidence.describe(name)


def test_page_has_every_entry_and_publication_and_does_not_vary():
    page = evidence.markdown()
    assert page == evidence.markdown()
    entries = (*evidence.names(), *evidence.prior_names(), *evidence.study_set_names())
    assert page.count("\n| `") == len(entries)
    assert all(f"- `{key}`: " in page for key in evidence.citation_keys())
    assert all(line.count("|") - line.count("\\|") == 9 for line in page.splitlines() if line.startswith("| "))
