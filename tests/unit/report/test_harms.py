"""True effects on the wrong side are told as such, and never as too few patients."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import pytest

from trialsim.report.answers import answers
from trialsim.report.harms import harm_notes, harm_words
from trialsim.report.protocol import sample_size_statement
from trialsim.report.summary import Hypothesis
from trialsim.report.table import power_table
from unit.report.conftest import summary_of

PRIMARY = Hypothesis("primary", "mmrm")
TURNED = " Is the contrast turned round? It is [active arm, control arm]."


def test_a_harm_is_not_called_too_few_patients(every_kind: dict[str, Any]) -> None:
    summary = summary_of(every_kind, {"primary": 2.02})
    harms = harm_words(every_kind, summary, PRIMARY)
    table = power_table(summary, hypothesis=PRIMARY)
    (answer,) = found = answers(table, harms=harms)
    assert answer.cell is None
    assert answer.text.replace("\u00a0", " ") == (
        "The true effect of ketamine against midazolam on QIDS-SR16 at day 14 is +2.02 points, in favour of midazolam: "
        f"no number of patients finds a benefit of ketamine.{TURNED} In 0.0 to 0.5 % of trials a benefit is found "
        "all the same."
    )
    assert sample_size_statement(every_kind, summary, found, PRIMARY) == ""


@pytest.mark.parametrize(
    ("asked", "truth", "told"),
    [
        (("responded", "risk_difference"), -0.113, "−11.3 ± 0.08 percentage points, in favour of midazolam"),
        (("responded", "logistic"), -0.63, "−0.63 ± 0.003 (odds ratio 0.53), in favour of midazolam"),
        (("relapse", "cox"), 0.51, "+0.51 ± 0.003 (hazard ratio 1.67), in favour of midazolam"),
        (("relapse", "rmst"), -6.8, "−6.8 ± 0.05 days, in favour of midazolam"),
        (("acts_all", "negative_binomial"), 0.51, "+0.51 ± 0.003 (rate ratio 1.67), in favour of midazolam"),
    ],
)
def test_the_side_of_harm_is_that_of_the_endpoint(
    every_kind: dict[str, Any], asked: tuple[str, str], truth: float, told: str
) -> None:
    hypothesis = Hypothesis(*asked)
    (words,) = harm_words(every_kind, summary_of(every_kind, {asked[0]: truth}), hypothesis)
    assert told in words
    assert harm_words(every_kind, summary_of(every_kind, {asked[0]: -truth}), hypothesis) == [""]


@pytest.mark.parametrize(
    ("asked", "truth"),
    [
        (("not_worse", "mmrm"), 1.0),  # a little worse is what may be claimed
        (("not_worse", "mmrm"), 3.0),  # beyond the margin: nothing to find, which the answer says otherwise
        (("same", "risk_difference"), -0.1),
        (("modifier", "mmrm"), 2.0),  # favours nobody
        (("primary", "mmrm"), 0.0),
    ],
)
def test_no_harm_against_a_margin_or_in_an_interaction(
    every_kind: dict[str, Any], asked: tuple[str, str], truth: float
) -> None:
    assert harm_words(every_kind, summary_of(every_kind, {asked[0]: truth}), Hypothesis(*asked)) == [""]


def test_a_score_that_rises_with_benefit_is_turned(every_kind: dict[str, Any]) -> None:
    rising = copy.deepcopy(every_kind)
    for estimand in rising["variants"][0]["estimands"]:
        estimand["endpoint"]["lower_is_better"] = False
    assert harm_words(rising, summary_of(rising, {"primary": 2.02}), PRIMARY) == [""]
    (words,) = harm_words(rising, summary_of(rising, {"primary": -2.02}), PRIMARY)
    assert "−2.02 points, in favour of midazolam" in words


def test_a_simulated_value_within_its_error_is_no_harm(every_kind: dict[str, Any]) -> None:
    asked = Hypothesis("responded", "risk_difference")
    summary = summary_of(every_kind, {"responded": -0.003})
    assert harm_words(every_kind, summary.assign(true_value_se=0.003 / 4.8), asked) == [""]
    (words,) = harm_words(every_kind, summary.assign(true_value_se=0.003 / 5.0), asked)
    assert "−0.3 ± 0.06 percentage points" in words


def test_where_some_variants_have_a_benefit_the_contrast_is_as_meant(every_kind: dict[str, Any]) -> None:
    path = "effects.ketamine.points.qids_sr16"
    both = {**every_kind, "variants": [every_kind["variants"][0]] * 2}
    parts = [summary_of(every_kind, {"primary": value}).assign(variant=v) for v, value in enumerate((-2.0, 2.0))]
    summary = pd.concat(parts, ignore_index=True)
    summary.insert(2, path, [-2.0] * len(parts[0]) + [2.0] * len(parts[1]))
    first, second = harm_words(both, summary, PRIMARY)
    assert first == ""
    assert second.endswith("no number of patients finds a benefit of ketamine.")
    (note,) = harm_notes(both, summary, PRIMARY)
    assert note.endswith(f"points: 2. {second}")
    assert "too few" not in answers(power_table(summary, hypothesis=PRIMARY), harms=[first, second])[1].text


def test_a_single_harm_leaves_co_primary_hypotheses_nothing(
    three_together: tuple[dict[str, Any], pd.DataFrame, pd.DataFrame],
) -> None:
    resolved, _, families = three_together
    summary = summary_of(resolved, {"bsl23": 0.4})
    assert harm_words(resolved, summary, PRIMARY, families=families) == [""]
    (words,) = harm_words(resolved, summary, PRIMARY, families=families.assign(procedure="co_primary"))
    assert words.startswith("The true effect of ketamine against midazolam on BSL-23 at day 14 is +0.40 points")
