"""The figures: the data they draw, what they say, and all the shapes a run can have."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from trialsim.report import fonts, style
from trialsim.report.figures import FIGURE_WORDS, standard_figures
from trialsim.report.figures.accuracy import accuracy_data, draw_accuracy
from trialsim.report.figures.pilot_value import draw_pilot_value
from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data
from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data
from trialsim.report.figures.trajectories import draw_trajectories, trajectory_data
from trialsim.report.summary import hypotheses, leading_path, rejection_interval, varied_paths

SHARE = "effects.ketamine.specific_share"
MISSING = "dropout.missing_by.14"
ALPHA = "analysis.primary.alpha"
SummaryMaker = Callable[..., pd.DataFrame]


def _texts(figure: Figure) -> str:
    found: Sequence[Text] = figure.findobj(Text)
    return "\n".join(text.get_text() for text in found).replace("\u00a0", " ")


def _title(axes: Axes) -> Text:
    said = axes.get_title(loc="left")
    found: Sequence[Text] = axes.findobj(Text)
    return next(text for text in found if said and text.get_text() == said)


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
    assert said.lower() in _texts(figure).lower().replace("\n", " ")
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
    assert "Share of the change that is specific to ketamine" in words.replace("\n", " ")


def test_cells_in_which_all_trials_agree_show_the_end_of_their_interval(summary: pd.DataFrame) -> None:
    frame = power_heatmap_data(summary)
    assert ((frame["low"] <= frame["share"]) & (frame["share"] <= frame["high"])).all()
    between = frame[frame["share"].between(0.0, 1.0, inclusive="neither")]
    assert "≥" not in _texts(draw_power_heatmap(between))
    frame.loc[0, ["share", "mcse", "low", "high", "null"]] = [1.0, 0.0, 0.9924, 1.0, False]
    frame.loc[1, ["share", "mcse", "low", "high", "null"]] = [0.0, 0.0, 0.0, 0.0076, False]
    words = _texts(draw_power_heatmap(frame)).replace("\n", " ")
    assert "≥ 99.2" in words
    assert "≤ 0.8" in words
    assert "± 0.0" not in words
    assert "≥ or ≤: the end of its 95 % interval" in words


def test_there_is_no_heat_map_where_nothing_is_varied(summary_maker: SummaryMaker) -> None:
    frame = power_heatmap_data(summary_maker(vary={}, sizes=[80, 120], replicates=20))
    assert frame.empty
    with pytest.raises(ValueError, match="varied path"):
        draw_power_heatmap(frame)


def test_the_longest_path_of_numbers_leads_and_the_others_give_panels(summary_maker: SummaryMaker) -> None:
    summary = summary_maker(vary={SHARE: [0, 0.3], MISSING: [0.1, 0.2, 0.3]}, sizes=[80], replicates=20)
    assert leading_path(summary) == MISSING
    frame = power_heatmap_data(summary)
    assert frame["row"].str.replace("\u00a0", " ").unique().tolist() == ["10 %", "20 %", "30 %"]
    assert frame["panel"].nunique() == 2
    assert "specific to ketamine: 30 %" in _texts(draw_power_heatmap(frame, title="t")).replace("\n", " ")
    curves = power_curve_data(summary, chosen=hypotheses(summary)[:1])
    assert curves["line"].nunique() == 3
    assert curves["panel"].nunique() == 2


def test_words_lead_only_where_no_path_has_numbers(summary_maker: SummaryMaker) -> None:
    vary = {"analysis.primary.method": [0, 1, 2], SHARE: [0.2, 0.3]}
    frame = summary_maker(vary=vary, sizes=[80], replicates=20)
    frame["analysis.primary.method"] = frame["analysis.primary.method"].map({0: "ancova", 1: "mmrm", 2: "welch"})
    assert leading_path(frame) == SHARE
    assert leading_path(frame.drop(columns=SHARE)) == "analysis.primary.method"
    assert leading_path(summary_maker(vary={}, sizes=[80], replicates=20)) is None


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


@pytest.mark.parametrize(("count", "columns"), [(5, 5), (9, 5), (13, 7), (17, 6)])
def test_keys_of_several_rows_read_in_rows(summary_maker: SummaryMaker, count: int, columns: int) -> None:
    sizes = [80 + 40 * i for i in range(count)]
    figure = draw_accuracy(accuracy_data(summary_maker(vary={}, sizes=sizes, replicates=20)))
    style.png_bytes(figure)
    (legend,) = figure.legends
    boxes = [(text.get_window_extent(), int(text.get_text())) for text in legend.get_texts()]
    read = sorted(boxes, key=lambda pair: (-round(pair[0].y0 / 5.0), pair[0].x0))
    assert [size for _, size in read] == sizes
    assert len({round(box.x0 / 5.0) for box, _ in boxes}) == columns


def test_the_digits_of_a_small_bias_do_not_run_together(summary_maker: SummaryMaker) -> None:
    frame = accuracy_data(summary_maker(vary={}, sizes=[80, 120], replicates=20))
    frame[["bias", "bias_low", "bias_high"]] = [[-0.06, -0.155, 0.035], [-0.041, -0.11, 0.028]]
    figure = draw_accuracy(frame)
    with style.styled():  # ticks are chosen by the size of their letters
        figure.draw_without_rendering()
        boxes = [tick.get_window_extent() for tick in figure.axes[0].get_xticklabels() if tick.get_text()]
    inside = [box for box in boxes if figure.axes[0].bbox.x0 <= box.x0 + box.width / 2.0 <= figure.axes[0].bbox.x1]
    assert all(left.x1 + 4.0 < right.x0 for left, right in itertools.pairwise(inside))


def test_the_bars_of_pilots_have_a_scale_and_words_stand_above_them() -> None:
    pilot = {"hypothesis_label": "Score", "n_total": 200, "before": 0.5, "go": 0.6, "chance_run": 0.4}
    rows = [
        {**pilot, "chance_changed": 0.1, "n_pilot": n, "from": i / 20, "to": (i + 1) / 20, "share": 0.05}
        for n in (40, 80)
        for i in range(20)
    ]
    figure = draw_pilot_value(pd.DataFrame(rows))
    style.png_bytes(figure)
    assert figure.get_supylabel() == "Simulated pilots, %"
    for axes in figure.axes:
        assert len(axes.get_yticks()) > 1
        (words,) = (text for text in axes.texts if "trial run" in text.get_text())
        assert words.get_window_extent().y0 > axes.transData.transform((0.0, 0.05))[1]


def test_names_before_the_counts_are_whole(trajectories: pd.DataFrame) -> None:
    frame = trajectories.copy()
    frame["arm_label"] = frame["arm_label"].replace("Ketamine", "Maintenance infusions and DBT")
    figure = draw_trajectories(frame)
    for box in _boxes(figure, ["Maintenance infusions and DBT"]):
        assert box.x0 >= 0.0
    assert "…" not in _texts(figure)


def test_the_first_and_last_intervals_of_accuracy_stand_clear_of_the_frame(summary_maker: SummaryMaker) -> None:
    frame = accuracy_data(summary_maker(sizes=[80, 120, 160], vary={}, replicates=20))
    for axes in draw_accuracy(frame).axes:
        low, high = sorted(axes.get_ylim())
        assert low <= -0.5
        assert high >= len(frame) - 0.5


def test_standard_figures_are_those_that_a_run_allows(
    summary: pd.DataFrame, trajectories: pd.DataFrame, summary_maker: SummaryMaker
) -> None:
    full = standard_figures(summary, trajectories=trajectories)
    assert set(full) == set(FIGURE_WORDS) - {"families", "estimand_matrix"}
    bare = standard_figures(summary_maker(vary={}, sizes=[80], estimands=["primary"], replicates=20))
    assert list(bare) == ["power_curves", "accuracy"]


def test_figures_are_deterministic(summary: pd.DataFrame, trajectories: pd.DataFrame) -> None:
    one = standard_figures(summary, trajectories=trajectories)
    two = standard_figures(summary, trajectories=trajectories)
    for name in one:
        assert style.svg_text(one[name].figure) == style.svg_text(two[name].figure)


def test_every_varied_level_has_its_line(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={ALPHA: [0.01, 0.05], SHARE: [0]}, sizes=[80, 160], estimands=["primary"])
    words = _texts(draw_power_curves(power_curve_data(frame)))
    assert "α = 1 %" in words
    assert "α = 5 %" in words
    assert "nominal 95 % or 99 %" in _texts(draw_accuracy(accuracy_data(frame)))


def test_each_panel_says_what_its_axis_shows(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={MISSING: [0.1, 0.2], SHARE: [0, 0.34]}, sizes=[80, 160], estimands=["primary"])
    figure = draw_power_curves(power_curve_data(frame))
    assert [axes.get_ylabel() for axes in figure.axes] == ["Type I error, %", "Power, %"]


def test_figures_of_a_run_without_any_effect_do_not_speak_of_power(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={SHARE: [0], MISSING: [0.1, 0.2]}, sizes=[80, 160], replicates=50)
    for item in standard_figures(frame).values():
        assert "Power" not in _texts(item.figure)


def _long_values(summary_maker: SummaryMaker, sizes: list[int]) -> pd.DataFrame:
    frame = summary_maker(vary={"analysis.primary": [0, 1]}, sizes=sizes, replicates=30)
    long = {"method": "ancova", "covariates": ["baseline", "stratum"], "fallback": "default", "df": "residual"}
    frame["analysis.primary"] = frame["analysis.primary"].map({0: long, 1: {**long, "covariates": ["baseline"]}})
    return frame


@pytest.mark.parametrize("sizes", [[80], [80, 120, 160]])
@pytest.mark.filterwarnings("error")
def test_long_values_leave_room_for_the_cells(summary_maker: SummaryMaker, sizes: list[int]) -> None:
    frame = _long_values(summary_maker, sizes)
    figure = draw_power_heatmap(power_heatmap_data(frame), title="QIDS-SR16 at day 14")
    assert style.svg_text(figure)
    axes = figure.axes[0]
    cells = axes.get_window_extent()
    assert cells.width > 0.25 * figure.bbox.width
    for tick in axes.get_yticklabels():
        assert 0 <= tick.get_window_extent().x0 < tick.get_window_extent().x1 <= cells.x0


@pytest.mark.parametrize("sizes", [[80], [80, 120, 160]])
@pytest.mark.filterwarnings("error")
def test_long_values_stand_in_a_key_above_the_curves(summary_maker: SummaryMaker, sizes: list[int]) -> None:
    figure = draw_power_curves(power_curve_data(_long_values(summary_maker, sizes)))
    assert style.svg_text(figure)
    key = figure.legends[0].get_window_extent()
    assert key.x1 <= figure.bbox.width
    assert all(_title(axes).get_window_extent().y1 <= key.y0 + 1 for axes in figure.axes[:3])
    assert "covariates: baseline, stratum" in _texts(figure).replace("\n", " ")


def test_close_sizes_do_not_write_over_each_other(summary_maker: SummaryMaker) -> None:
    sizes = [8, 10, 40, 60, 100, 110, 500, 990, 1000]
    figure = draw_power_curves(power_curve_data(summary_maker(sizes=sizes, replicates=20)))
    style.svg_text(figure)
    for axes in figure.axes[:3]:
        boxes = [tick.get_window_extent() for tick in axes.get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
        assert [tick.get_text() for tick in axes.get_xticklabels()][-1] == "1000"


def test_long_titles_are_wrapped_and_stay_over_their_panels(trajectories: pd.DataFrame) -> None:
    frame = trajectories.copy()
    frame["stratum_label"] = "Treatment-resistant depression, " + frame["stratum_label"] + ", outpatients of both sexes"
    figure = draw_trajectories(frame)
    style.svg_text(figure)
    first, second = (_title(axes).get_window_extent() for axes in figure.axes[:2])
    assert first.x1 < second.x0
    assert second.x1 <= figure.bbox.width


def _boxes(figure: Figure, said: Sequence[str]) -> list[Bbox]:
    """Return where the texts that say one of `said` stand on the finished figure."""
    style.png_bytes(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts: Sequence[Text] = figure.findobj(Text)
    return [text.get_window_extent(renderer) for text in texts if text.get_text() in said]


def test_a_long_title_of_a_figure_is_not_cut_off(trajectories: pd.DataFrame, summary: pd.DataFrame) -> None:
    long = "Time to relapse after ketamine, with and without maintenance infusions or DBT, for half a year"
    one = trajectories[trajectories["stratum"] == "bpd"]
    for figure in (draw_trajectories(one, title=long), draw_accuracy(accuracy_data(summary), title=long)):
        [box] = _boxes(figure, [style.wrapped(long, int(8 * figure.get_figwidth()))])
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_names_of_two_lines_at_the_ends_of_lines_do_not_overlap(trajectories: pd.DataFrame) -> None:
    names = ["Four infusions and no more", "Maintenance infusions", "DBT skills and infusions", "Maintenance and DBT"]
    rows = trajectories[(trajectories["stratum"] == "bpd") & (trajectories["outcome"] == "madrs")]
    rows = rows[rows["arm"] == rows["arm"].iloc[0]]
    frame = pd.concat([rows.assign(arm=name, arm_label=name, mean=rows["mean"] + 0.2 * i)
                       for i, name in enumerate(names)])  # fmt: skip
    boxes = _boxes(draw_trajectories(frame, title="Maintenance or skills"), [style.wrapped(name, 18) for name in names])
    assert len(boxes) == len(names)
    boxes.sort(key=lambda box: float(box.y0))
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0


def test_intervals_of_few_patients_do_not_stretch_the_axis(trajectories: pd.DataFrame) -> None:
    frame = trajectories[trajectories["outcome"] == "madrs"].copy()
    few = frame.index[-1]
    frame.loc[few, ["ci_low", "ci_high", "n_observed"]] = [-120.0, 160.0, 2]
    figure = draw_trajectories(frame)
    low, high = figure.axes[-1].get_ylim()
    enough = frame[frame["n_observed"] >= 5]
    assert low <= enough["ci_low"].min()
    assert high >= enough["ci_high"].max()
    assert high - low < 2 * (enough["ci_high"].max() - enough["ci_low"].min())
    assert "Intervals of fewer than 5 patients are cut off" in _texts(figure).replace("\n", " ")
    assert "cut off" not in _texts(draw_trajectories(trajectories))


@pytest.mark.filterwarnings("error")
def test_labels_without_a_font_give_way_to_names_in_pictures_only(
    summary_maker: SummaryMaker, trajectories: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "families", lambda: (fonts.FONT,))
    labels = {"ketamine": "ケタミン", "midazolam": "Мидазолам", "estimands.primary": "抑郁"}
    shown = fonts.drawable(labels)
    assert shown == {"ketamine": "ketamine", "midazolam": "Мидазолам", "estimands.primary": "primary"}
    note = fonts.names_note(labels)
    assert "the labels of ketamine, primary" in note
    assert fonts.names_note({"midazolam": "Мидазолам"}) == ""
    frame = trajectories.replace({"Ketamine": "ケタミン"})
    assert set(fonts.drawable_columns(frame)["arm_label"]) == {"Midazolam", "ketamine"}
    summary = summary_maker(sizes=[80, 160], replicates=20)
    for item in standard_figures(summary, labels=shown, trajectories=frame, note=note).values():
        assert "the labels of ketamine, primary" in _texts(item.figure).replace("\n", " ")
    figure = standard_figures(summary, labels=labels)["power_curves"].figure
    assert "ケタミン" in style.svg_text(figure)
    assert style.png_bytes(figure)


def test_a_font_that_stands_in_draws_what_the_usual_one_lacks() -> None:
    # STIX comes with matplotlib.
    usual, other = (
        set(get_font(findfont(FontProperties(family=name))).get_charmap()) for name in (fonts.FONT, "STIXGeneral")
    )
    letter = chr(min(other - usual))
    with style.styled():
        figure = Figure(figsize=(2, 2), layout="constrained")
        figure.subplots().set_title(letter)
        plain = Figure(figsize=(2, 2), layout="constrained")
        plain.subplots().set_title("\U000f0000")
    assert style.png_bytes(figure) != style.png_bytes(plain)
    assert _title(figure.axes[0]).get_fontfamily()[0] == fonts.FONT
    assert "STIXGeneral" in _title(figure.axes[0]).get_fontfamily()


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
