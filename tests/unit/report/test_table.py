"""The power table, the answers drawn from it, the characteristics and the failure ledger."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from trialsim.report.answers import answers, range_words, smallest_enough
from trialsim.report.characteristics import characteristics_tables
from trialsim.report.ledger import count_rungs, ledger_totals
from trialsim.report.summary import Hypothesis
from trialsim.report.table import PowerCell, PowerRow, PowerTable, power_table, share_words
from unit.report.conftest import without_estimates

SHARE = "effects.ketamine.specific_share"
MISSING = "dropout.missing_by.14"
ALPHA = "analysis.primary.alpha"
SummaryMaker = Callable[..., pd.DataFrame]


def _cell(n: int, share: float, *, low: float | None = None, null: bool = False, alpha: float = 0.05) -> PowerCell:
    return PowerCell(
        n=n, share=share, mcse=0.01, low=share - 0.03 if low is None else low, high=min(share + 0.03, 1.0),
        null=null, alpha=alpha, usable=500, failed=0,
    )  # fmt: skip


def _table(*cells: PowerCell, settings: dict[str, float] | None = None) -> PowerTable:
    values = settings or {}
    row = PowerRow(settings=values, words=tuple(f"{value}" for value in values.values()), cells=cells)
    headings = tuple(values)
    return PowerTable(Hypothesis("primary", "mmrm"), headings, tuple(cell.n for cell in cells), (row,))


def test_table_has_a_row_per_value_and_a_column_per_size(summary: pd.DataFrame) -> None:
    table = power_table(summary)
    assert table.header == ("Share of the change that is specific to ketamine", "80", "120", "160", "200", "240")
    assert len(table.body) == 6
    assert all(len(row) == 6 for row in table.body)
    source = summary[(summary["estimand"] == "primary") & (summary[SHARE] == 0.34) & (summary["n"] == 120)].iloc[0]
    assert table.body[2][2] == f"{100 * source['power']:.1f} ± {100 * source['power_mcse']:.1f}"
    assert table.rows[2].settings == {SHARE: 0.34}
    assert table.rows[0].null
    assert table.rows[0].cells[0].share == summary["type_i_error"].iloc[0]  # type: ignore[union-attr]
    assert "type I error" in table.caption


def test_table_without_varied_paths_has_one_row(summary_maker: SummaryMaker) -> None:
    table = power_table(summary_maker(vary={}, sizes=[80, 120], replicates=50))
    assert table.header == ("Patients randomised", "80", "120")
    assert [row[0] for row in table.body] == ["Power, %"]


def test_table_of_two_varied_paths_has_two_heading_columns(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={SHARE: [0.2, 0.34], MISSING: [0.1, 0.2]}, sizes=[80], replicates=50)
    table = power_table(frame, hypothesis=Hypothesis("madrs_day_14", "mmrm"))
    assert table.header[:2] == ("Share of the change that is specific to ketamine", "Missing by day 14")
    assert [tuple(w.replace("\u00a0", " ") for w in row[:2]) for row in table.body] == [
        ("20 %", "10 %"), ("20 %", "20 %"), ("34 %", "10 %"), ("34 %", "20 %"),
    ]  # fmt: skip


def test_a_cell_without_an_estimate_shows_a_dash() -> None:
    assert _cell(80, math.nan).text == "–"
    assert _cell(80, 0.812).text == "81.2 ± 1.0"


def test_enough_means_this_size_and_every_larger_one() -> None:
    cells = [_cell(80, 0.81), _cell(120, 0.79), _cell(160, 0.80), _cell(200, 0.9)]
    found = smallest_enough(cells, 0.8)
    assert found is not None
    assert found.n == 160
    assert smallest_enough(cells[:2], 0.8) is None


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            [_cell(80, 0.6), _cell(120, 0.78), _cell(160, 0.86)],
            "160 patients are enough for 80 % power: 86.0 % (95 % interval 83.0 to 89.0). With 120 it is 78.0 %.",
        ),
        (
            [_cell(80, 0.81), _cell(120, 0.9)],
            "80 patients are enough for 80 % power: 81.0 % (95 % interval 78.0 to 84.0). This is the smallest size "
            "simulated; fewer may do. The interval reaches below 80 %: more replicates would tell.",
        ),
        (
            [_cell(80, 0.3), _cell(120, 0.4)],
            "None of the sizes simulated, 80 to 120, is enough for 80 % power: with 120 patients it is 40.0 % "
            "(95 % interval 37.0 to 43.0).",
        ),
        (
            [_cell(80, 0.3), _cell(120, 0.79)],
            "None of the sizes simulated, 80 to 120, is enough for 80 % power: with 120 patients it is 79.0 % "
            "(95 % interval 76.0 to 82.0). The interval reaches 80 %: more replicates would tell.",
        ),
        ([_cell(80, 0.3)], "80 patients are too few for 80 % power: 30.0 % (95 % interval 27.0 to 33.0)."),
        (
            [_cell(80, 0.04, null=True), _cell(120, 0.055, null=True)],
            "No true difference: 4.0 to 5.5 % of trials find one all the same (type I error, nominal 5 %).",
        ),
        (
            [_cell(80, 0.12, null=True), _cell(120, 0.05, null=True)],
            "No true difference: 5.0 to 12.0 % of trials find one all the same (type I error, nominal 5 %). "
            "1 of 2 intervals do not hold 5 %; one in twenty would by chance.",
        ),
        ([_cell(80, math.nan)], "No fit gave an estimate, so nothing can be said."),
        (
            [_cell(8, math.nan), _cell(10, math.nan), _cell(120, 0.78), _cell(160, 0.86)],
            "160 patients are enough for 80 % power: 86.0 % (95 % interval 83.0 to 89.0). With 120 it is 78.0 %. "
            "With 8 or 10 patients no fit gave an estimate.",
        ),
        (
            [_cell(8, math.nan, null=True), _cell(80, 0.012, null=True, alpha=0.01, low=0.005)],
            "No true difference: 1.2 % of trials find one all the same (type I error, nominal 1 %). "
            "With 8 patients no fit gave an estimate.",
        ),
    ],
)
def test_answers_in_words(cells: list[PowerCell], expected: str) -> None:
    (answer,) = answers(_table(*cells))
    assert answer.text.replace("\u00a0", " ") == expected
    assert answer.own


def test_the_scenarios_own_value_is_marked() -> None:
    own, other = ({SHARE: 0.34}, {SHARE: 0.2})
    assert answers(_table(_cell(80, 0.9), settings=own), own_settings=own)[0].own
    assert not answers(_table(_cell(80, 0.9), settings=other), own_settings=own)[0].own
    assert not answers(_table(_cell(80, 0.9), settings=other))[0].own


def test_sizes_of_a_row_in_words() -> None:
    row = _table(_cell(80, 0.3), _cell(120, 0.5)).rows[0]
    assert range_words(row) == "80 to 120 patients"
    assert range_words(_table(_cell(80, 0.3)).rows[0]) == "80 patients"


def test_characteristics_have_an_error_beside_every_estimate(summary: pd.DataFrame) -> None:
    tables = characteristics_tables(summary)
    assert [item.hypothesis.estimand for item in tables] == ["primary", "madrs_day_14", "bsl23_day_14"]
    for item in tables:
        assert len(item.rows) == 30
        assert all(len(row) == len(item.header) for row in item.rows)
        assert item.rows[0][3] == "–"
        assert all("±" in cell for cell in item.rows[-1][6:])


def test_a_cell_without_an_estimate_has_one_dash_for_each_number(summary_maker: SummaryMaker) -> None:
    frame = without_estimates(summary_maker(sizes=[8, 80], vary={}, estimands=["primary"], replicates=50), n=8)
    (table,) = characteristics_tables(frame)
    gone = dict(zip(table.header, table.rows[0], strict=True))
    assert [
        value for name, value in gone.items() if name not in ("Patients randomised", "True difference, points")
    ] == (["–"] * 11)


def test_a_run_without_any_effect_speaks_of_the_type_i_error(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={SHARE: [0], MISSING: [0.1, 0.2]}, sizes=[80], estimands=["primary"], replicates=50)
    table = power_table(frame)
    assert table.measure == "Type I error, %"
    assert table.caption.startswith("Type I error in %, ± its Monte Carlo standard error")
    (characteristics,) = characteristics_tables(frame)
    assert not any("Power" in heading for heading in characteristics.header)
    assert power_table(summary_maker(sizes=[80], replicates=20)).measure == "Power, %"


def test_varied_levels_are_told_in_percent_and_each_row_is_held_against_its_own(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={ALPHA: [0.01, 0.05], SHARE: [0]}, sizes=[80, 160], estimands=["primary"])
    table = power_table(frame)
    assert table.header[0] == "Two-sided alpha, primary"
    assert [row[0].replace("\u00a0", " ") for row in table.body] == ["1 %", "5 %"]
    first, second = (answer.text.replace("\u00a0", " ") for answer in answers(table))
    assert "nominal 1 %" in first
    assert "nominal 5 %" in second


def test_lists_inside_varied_mappings_come_back_from_a_file_as_words(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={"analysis.primary": [0, 1]}, sizes=[80], estimands=["primary"], replicates=20)
    forms = {
        0: {"method": "ancova", "covariates": np.array(["baseline", "stratum"]), "variance": None},
        1: {"method": "ancova", "covariates": None, "variance": "hc3"},
    }
    frame["analysis.primary"] = frame["analysis.primary"].map(forms)
    words = [row[0] for row in power_table(frame).body]
    assert words == ["method: ANCOVA, covariates: baseline, stratum", "method: ANCOVA, variance: hc3"]


def test_rungs_are_counted_with_the_first_example_of_each() -> None:
    estimates = pd.DataFrame(
        [
            (0, "primary", "mmrm", 0, 0, "unstructured"),
            (1, "primary", "mmrm", 4, 1, "compound_symmetry"),
            (0, "primary", "mmrm", 7, 1, "compound_symmetry"),
            (0, "primary", "mmrm", 3, 2, "singular"),
        ],
        columns=["cell", "estimand", "method", "replicate", "status", "rung"],
    )
    counted = count_rungs(estimates)
    assert counted.to_dict("records") == [
        {"estimand": "primary", "method": "mmrm", "failed": False, "rung": "compound_symmetry", "fits": 2, "cell": 0,
         "replicate": 7},
        {"estimand": "primary", "method": "mmrm", "failed": True, "rung": "singular", "fits": 1, "cell": 0,
         "replicate": 3},
    ]  # fmt: skip
    assert count_rungs(estimates.iloc[:1]).empty


def test_ledger_adds_up_and_names_the_worst_cell(summary: pd.DataFrame) -> None:
    for item in ledger_totals(summary):
        assert item["converged"] + item["fell_back"] + item["failed"] == item["fits"] == 30 * 500
        part = summary[summary["estimand"] == item["estimand"]]
        assert item["worst_failed"] == part["failed"].max()
        assert item["worst_power_as_0"] <= item["worst_power_as_1"]


def test_where_all_or_none_find_it_the_interval_stands_in_place_of_an_error_of_0():
    assert share_words(1.0, 0.0, 0.9924, 1.0) == "100.0 (99.2 to 100.0)"
    assert share_words(0.0, 0.0, 0.0, 0.0076) == "0.0 (0.0 to 0.8)"
    assert share_words(0.5, 0.0224, 0.456, 0.544) == "50.0 ± 2.2"
