"""The figures: the data they draw, what they say, and all the shapes a run can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from trialsim.report import style
from trialsim.report.figures import FIGURE_WORDS, standard_figures
from trialsim.report.figures.accuracy import accuracy_data, draw_accuracy
from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data
from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data
from trialsim.report.figures.trajectories import draw_trajectories, trajectory_data
from trialsim.report.summary import hypotheses, rejection_interval, varied_paths

SHARE = "effects.ketamine.specific_share"
MISSING = "dropout.missing_by.14"
SummaryMaker = Callable[..., pd.DataFrame]


def _texts(figure: Figure) -> str:
    found: Sequence[Text] = figure.findobj(Text)
    return "\n".join(text.get_text() for text in found).replace("\u00a0", " ")


def test_varied_paths_are_the_columns_between_variant_and_n(summary: pd.DataFrame) -> None:
    assert varied_paths(summary) == (SHARE,)


def test_the_primary_estimand_comes_first(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(estimands=("madrs_day_14", "primary"), sizes=[80], vary={}, replicates=20)
    assert [item.estimand for item in hypotheses(frame)] == ["primary", "madrs_day_14"]


def test_power_curves_draw_power_and_the_type_i_error_of_the_null(summary: pd.DataFrame) -> None:
    frame = power_curve_data(
        summary, chosen=hypotheses(summary)[:1], labels={"estimands.primary": "QIDS-SR16 at day 14"}
    )
    rows = summary[summary["estimand"] == "primary"].set_index([SHARE, "n"])
    for point in frame.to_dict("records"):
        row = rows.loc[float(point["line"].replace("\u00a0%", "")) / 100, point["n"]]
        expected = "rejection_rate" if point["null"] else "power"
        assert point["share"] == row[expected]
        assert point["mcse"] == row[f"{expected}_mcse"]
        assert point["low"] <= point["share"] <= point["high"]
    assert set(frame.loc[frame["null"], "line"]) == {"0\u00a0%"}
    words = _texts(draw_power_curves(frame))
    for said in ("QIDS-SR16 at day 14", "Patients randomised", "Power, %", "type I error", "α = 5 %", "34 %", "80 %"):
        assert said in words


def test_the_interval_of_a_null_is_that_of_rejections_in_either_direction(summary: pd.DataFrame) -> None:
    row = summary[summary["null"]].iloc[0]
    low, high = rejection_interval({str(name): value for name, value in row.items()})
    assert low < row["rejection_rate"] < high


@pytest.mark.parametrize(
    ("sizes", "vary", "said"),
    [
        ([80, 160], {}, "Patients randomised"),
        ([160], {SHARE: [0.2, 0.34]}, "160 patients randomised"),
        ([160], {}, "160 patients randomised"),
        ([80, 160], {SHARE: [0]}, "Type I error, %"),
        ([80, 160], {SHARE: [0, 0.34], MISSING: [0.1, 0.3]}, "Missing by day 14: 30 %"),
        ([80, 82, 84, 200], {MISSING: ["low", "high"]}, "Missing by day 14"),
    ],
)
def test_power_curves_of_every_shape_of_run(
    summary_maker: SummaryMaker, sizes: list[int], vary: dict[str, list[float]], said: str
) -> None:
    if "low" in vary.get(MISSING, []):  # type: ignore[comparison-overlap]
        frame = summary_maker(sizes=sizes, vary={MISSING: [0.1, 0.2]}, replicates=50)
        frame[MISSING] = frame[MISSING].map({0.1: "low", 0.2: "high"})
    else:
        frame = summary_maker(sizes=sizes, vary=vary, replicates=50)
    figure = draw_power_curves(power_curve_data(frame))
    assert said.lower() in _texts(figure).lower()
    assert style.svg_text(figure)


def test_a_cell_in_which_all_fits_failed_leaves_a_gap(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(sizes=[80, 160], vary={SHARE: [0.2, 0.34]}, estimands=["primary"], replicates=50)
    gone = frame.index[0]
    frame.loc[gone, ["power", "power_mcse", "power_low", "power_high", "bias", "bias_mcse", "coverage"]] = float("nan")
    frame.loc[gone, ["converged", "fell_back", "failed"]] = [0, 0, 50]
    assert "–" in _texts(draw_power_heatmap(power_heatmap_data(frame)))
    assert style.svg_text(draw_power_curves(power_curve_data(frame)))
    frame.loc[gone, "coverage"] = 0.0
    assert style.svg_text(draw_accuracy(accuracy_data(frame)))


def test_heat_map_writes_every_cell_and_says_what_is_hatched(summary: pd.DataFrame) -> None:
    frame = power_heatmap_data(summary)
    assert len(frame) == 30
    words = _texts(draw_power_heatmap(frame, title="QIDS-SR16 at day 14"))
    for row in frame.to_dict("records"):
        assert f"{100 * row['share']:.1f}" in words
    assert "Hatched: no true difference" in words
    assert "Share of the change that is specific to ketamine" in words


def test_there_is_no_heat_map_where_nothing_is_varied(summary_maker: SummaryMaker) -> None:
    frame = power_heatmap_data(summary_maker(vary={}, sizes=[80, 120], replicates=20))
    assert frame.empty
    with pytest.raises(ValueError, match="varied path"):
        draw_power_heatmap(frame)


def test_two_varied_paths_give_one_heat_map_each_value_of_the_second(summary_maker: SummaryMaker) -> None:
    frame = power_heatmap_data(
        summary_maker(vary={SHARE: [0, 0.3], MISSING: [0.1, 0.2, 0.3]}, sizes=[80], replicates=20)
    )
    assert frame["panel"].nunique() == 3
    assert "Missing by day 14: 20 %" in _texts(draw_power_heatmap(frame, title="t"))


def test_trajectories_show_arms_strata_and_patients_observed(trajectories: pd.DataFrame) -> None:
    words = _texts(draw_trajectories(trajectory_data(trajectories), title="Patients", note="One cohort."))
    for said in ("QIDS-SR16, With BPD", "Ketamine", "Mean score, points", "40", "One cohort."):
        assert said in words


def test_trajectories_of_one_stratum_and_close_visits(trajectories: pd.DataFrame) -> None:
    frame = trajectories[trajectories["stratum"] == "bpd"].copy()
    frame["day"] = frame["day"].map({0: 0, 3: 1, 7: 2, 10: 3, 14: 84})
    figure = draw_trajectories(frame)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0", "84"]


def test_missing_columns_are_named(trajectories: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="n_observed"):
        trajectory_data(trajectories.drop(columns="n_observed"))


def test_accuracy_has_bias_and_coverage_of_every_cell(summary: pd.DataFrame) -> None:
    frame = accuracy_data(summary)
    rows = summary[summary["estimand"] == "primary"]
    assert frame["bias"].tolist() == rows["bias"].tolist()
    assert ((frame["coverage_low"] <= frame["coverage"]) & (frame["coverage"] <= frame["coverage_high"])).all()
    assert "nominal 95 %" in _texts(draw_accuracy(frame, title="t", row_heading="Specific share"))


def test_standard_figures_are_those_that_a_run_allows(
    summary: pd.DataFrame, trajectories: pd.DataFrame, summary_maker: SummaryMaker
) -> None:
    full = standard_figures(summary, trajectories=trajectories)
    assert set(full) == set(FIGURE_WORDS)
    bare = standard_figures(summary_maker(vary={}, sizes=[80], estimands=["primary"], replicates=20))
    assert list(bare) == ["power_curves", "accuracy"]


def test_figures_are_deterministic(summary: pd.DataFrame, trajectories: pd.DataFrame) -> None:
    one = standard_figures(summary, trajectories=trajectories)
    two = standard_figures(summary, trajectories=trajectories)
    for name in one:
        assert style.svg_text(one[name].figure) == style.svg_text(two[name].figure)


def test_untrusted_labels_are_escaped_in_svg(summary: pd.DataFrame) -> None:
    nasty = '<script>alert(\'x\')</script> & "q" --> id="z"'
    svg = style.svg_text(draw_power_curves(power_curve_data(summary, labels={"estimands.primary": nasty})))
    assert "<script" not in svg
    assert re.search(r"&lt;script&gt;", svg)


def test_long_notes_stay_inside_the_figure(trajectories: pd.DataFrame) -> None:
    figure = draw_trajectories(trajectories, note="A cell with a long name, " * 12)
    style.svg_text(figure)
    note = next(text for text in figure.texts if "confidence" in text.get_text())
    box = note.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
