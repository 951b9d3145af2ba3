"""Blinding in the report: what patients guess, what is expectancy, and how both are modelled, in tables and words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from trials import BOUNDED, resolve
from trialsim.report.blinding import blinding_of, blinding_section, blinding_words, expectancy_rows, guess_rows
from trialsim.report.design import labels_of
from trialsim.report.sections import sections_of

WORTH = {"expectancy": {"qids_sr16": 2.0, "madrs": {"bpd": 3.0, "no_bpd": 1.0}}}
GUESS = "unblinding.guess"


@pytest.fixture(scope="module")
def scenario() -> dict[str, Any]:
    changes = {
        "unblinding": WORTH,
        "vary": {GUESS: ["perfect", "saline"]},
        "estimands.primary.expectancy": "excluded",
        "arms.ketamine.label": "Ketamine <i.v.>",
    }
    return resolve(BOUNDED, changes).to_dict()


@pytest.fixture
def guesses() -> pd.DataFrame:
    rows = [
        (0, 0, "perfect", 40, "midazolam", 0.5, 0.01, 0.0),
        (0, 0, "perfect", 40, "ketamine", 0.5, 0.01, 0.0),
        (1, 0, "perfect", 60, "midazolam", 0.4981, 0.003, 0.0038),
        (1, 0, "perfect", 60, "ketamine", 0.5, 0.003, 0.0),
        (3, 1, "saline", 60, "midazolam", 0.15, 0.002, 0.7),
        (3, 1, "saline", 60, "ketamine", 0.9, 0.002, 0.8),
    ]
    names = ["cell", "variant", GUESS, "n", "arm", "says_active", "says_active_mcse", "bang"]
    return pd.DataFrame(rows, columns=names).assign(bang_mcse=0.004, james=0.125, james_mcse=0.001)


@pytest.fixture
def summary() -> pd.DataFrame:
    rows = [
        (0, "perfect", 60, "primary", "difference", -2.0, -2.0, 0.0, 0.05),
        (1, "saline", 40, "primary", "difference", -9.0, -2.0, -7.0, 0.05),
        (1, "saline", 60, "primary", "difference", -4.0, -2.0, -2.0, 0.05),
        (1, "saline", 60, "other", "difference", -4.0, -4.0, 0.0, 0.05),
    ]
    names = ["variant", GUESS, "n", "estimand", "measure", "mean_estimate", "true_value", "bias", "bias_mcse"]
    return pd.DataFrame(rows, columns=names).assign(method="mmrm")


def test_guesses_are_told_at_the_largest_size_of_every_variant(scenario: dict[str, Any], guesses: pd.DataFrame) -> None:
    rows = guess_rows(guesses, labels_of(scenario))
    assert [(row.setting.rpartition(": ")[2], row.arms) for row in rows] == [
        ("perfect", 2),
        ("", 0),
        ("saline", 2),
        ("", 0),
    ]
    assert [row.says_active for row in rows] == ["49.8 ± 0.3", "50.0 ± 0.3", "15.0 ± 0.2", "90.0 ± 0.2"]
    assert [row.bang for row in rows] == ["0.004 ± 0.004", "0.000 ± 0.004", "0.700 ± 0.004", "0.800 ± 0.004"]
    assert [row.james for row in rows] == ["0.125 ± 0.001", ""] * 2
    assert rows[1].arm == "Ketamine <i.v.>"


def test_what_is_expectancy_is_told_of_questions_that_leave_it_out(
    scenario: dict[str, Any], summary: pd.DataFrame
) -> None:
    rows = expectancy_rows(summary, scenario, labels_of(scenario))
    assert [(row.estimate, row.drug, row.expectancy) for row in rows] == [
        ("−2.00", "−2.00", "0.00 ± 0.05"),
        ("−4.00", "−2.00", "−2.00 ± 0.05"),
    ]
    assert [row.share for row in rows] == ["–", "50\xa0%"]


def test_no_share_where_the_drug_works_the_other_way(scenario: dict[str, Any], summary: pd.DataFrame) -> None:
    other = summary.assign(true_value=1.0)
    assert {row.share for row in expectancy_rows(other, scenario, {})} == {"–"}


def test_the_model_in_words_once_for_all_variants(scenario: dict[str, Any]) -> None:
    assert blinding_words(scenario, {}) == [
        "Under perfect masking half of every arm believe in the active drug, whatever they felt.",
        "Believing in the active drug rather than in the control is worth 2 points on QIDS-SR16 and 3 or 1 points "
        "on MADRS.",
        "The means and effects assumed are those of the trial as it is masked, expectancy included.",
        "Patients guess their arm from the worst dissociation (CADSS) they have felt and from what else tells the arms "
        "apart; who believes in the active drug fares better than who does not.",
    ]


def test_raters_in_words() -> None:
    raters = {**WORTH, "raters": {"expectancy": {"madrs": 2}, "follows_patient": 0.8}, "means_are": "without"}
    words = blinding_words(resolve(BOUNDED, {"unblinding": raters}).to_dict(), {})
    assert (
        "A rater's belief is worth 2 points on MADRS; 80\xa0% of raters believe what their patient believes." in words
    )
    assert words[-1] == "The means and effects assumed hold no expectancy: it comes on top of them."
    assert blinding_words(resolve(BOUNDED, {}).to_dict(), {}) == []


def test_the_section_is_absent_without_guesses(
    scenario: dict[str, Any], guesses: pd.DataFrame, summary: pd.DataFrame, tmp_path: Any
) -> None:
    assert blinding_of(tmp_path) is None
    assert blinding_section(None, summary, scenario, {}) is None
    guesses.to_parquet(tmp_path / "blinding.parquet")
    told = sections_of(tmp_path, summary, scenario, labels_of(scenario))
    assert [section.anchor for section in told] == ["blinding"]
    assert [len(table.rows) for table in told[0].tables] == [4, 2]
    assert told[0].tables[0].rows[1][1] == "Ketamine <i.v.>"
