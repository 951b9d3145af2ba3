"""The look: deterministic files, no trace in the caller's settings, labels that do not overlap."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from trialsim.report import style


def _figure(label: str = "a") -> Figure:
    with style.styled():
        figure = Figure(figsize=(3, 2), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], marker="o", label=label)
        axes.set_title(label)
    return figure


def test_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = style.save_figure(_figure(), tmp_path / "one.v1")
    second = style.save_figure(_figure(), tmp_path / "two")
    assert [path.name for path in first] == ["one.v1.png", "one.v1.svg"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_files_hold_no_date_and_no_version() -> None:
    assert b"matplotlib" not in style.png_bytes(_figure()).lower()
    svg = style.svg_text(_figure())
    assert "<dc:date>" not in svg
    assert mpl.__version__ not in svg


def test_drawing_a_figure_again_does_not_change_its_file() -> None:
    figure = _figure()
    assert style.svg_text(figure) == style.svg_text(figure)
    assert style.png_bytes(figure) == style.png_bytes(figure)


def test_the_callers_settings_come_back() -> None:
    before = dict(mpl.rcParams)
    style.svg_text(_figure())
    assert dict(mpl.rcParams) == before


def test_the_callers_settings_have_no_part_in_a_figure() -> None:
    plain = style.svg_text(_figure())
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 20}):
        assert style.svg_text(_figure()) == plain


def test_dollar_signs_in_labels_are_text() -> None:
    assert "cost $5 or $x_{" in style.svg_text(_figure("cost $5 or $x_{"))


def test_marks_differ_in_colour_and_shape() -> None:
    for marks in (style.categorical_marks(6), style.ordered_marks(6)):
        assert len({mark.colour for mark in marks}) == 6
        assert len({mark.marker for mark in marks}) == 6
    assert len({mark.marker for mark in style.ordered_marks(12)}) == 12
    assert len(style.ordered_marks(1)) == 1
    assert len(style.categorical_marks(20)) == 20


def test_ordered_colours_get_darker_so_that_grey_prints_keep_the_order() -> None:
    luminances = []
    for mark in style.ordered_marks(6):
        red, green, blue = (int(mark.colour[i : i + 2], 16) for i in (1, 3, 5))
        luminances.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert luminances == sorted(luminances, reverse=True)


@pytest.mark.parametrize(
    "positions",
    [[0.99, 1.0, 1.0, 0.91, 0.46, 0.05], [0.63, 0.98, 1.0, 1.0, 1.0, 0.05], [0.0, 0.0, 0.0], [1.0], []],
)
def test_spread_labels_keep_order_gap_and_bounds(positions: list[float]) -> None:
    heights = style.spread_labels(positions, gap=0.08, low=0.0, high=1.02)
    assert len(heights) == len(positions)
    assert all(-1e-12 <= height <= 1.02 + 1e-12 for height in heights)
    for (p, a), (q, b) in itertools.combinations(zip(positions, heights, strict=True), 2):
        assert abs(a - b) >= 0.08 - 1e-12
        if p != q:
            assert (p < q) == (a < b)


def test_labels_with_room_stay_where_they_are() -> None:
    assert style.spread_labels([0.2, 0.8, 0.5], gap=0.1, low=0, high=1) == pytest.approx([0.2, 0.8, 0.5])


def test_text_is_readable_on_every_power_colour() -> None:
    for share in range(0, 101, 5):
        ground = style.POWER_MAP(share / 100)
        text = style.text_colour_on(ground)
        assert _contrast(ground, text) >= 3.9, share


def _contrast(ground: tuple[float, ...], text: str) -> float:
    other = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    low, high = sorted((_luminance(list(ground[:3])), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb: list[float]) -> float:
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_labels_that_would_look_alike_lose_what_all_begin_with():
    alike = [f"my_trial, specific_share 0.5, points {k}, N 80" for k in (1, 2)]
    assert style.distinct(alike, 30) == ["points 1, N 80", "points 2, N 80"]
    assert style.distinct(["one, a", "one, b"], 30) == ["one, a", "one, b"]  # short enough to be told apart
    assert style.distinct(["same", "same"], 3) == ["sa…", "sa…"]
    assert len(set(style.distinct(["x" * 40 + "1", "x" * 40 + "2"], 30))) == 1  # one part alone stays what it is
