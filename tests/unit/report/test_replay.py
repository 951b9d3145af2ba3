"""Replays in words and as a figure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.text import Text

from trialsim.engine.replay import replay
from trialsim.engine.replay_quantities import Target
from trialsim.report.figures.replay import draw_replay, replay_data
from trialsim.report.replay import MARKS, _check_words, findings, printed, replay_frame, replicate_frame
from trialsim.report.style import categorical_marks, png_bytes, svg_text


@pytest.fixture(scope="module")
def danayan():
    return replay("danayan2023", replicates=300)


@pytest.fixture(scope="module")
def frame(danayan):
    return replay_frame(danayan)


def test_one_row_per_quantity_with_the_numbers_of_the_studies(danayan, frame):
    assert list(frame["quantity"]) == [found.target.name for found in danayan.found]
    assert set(frame["mark"]) == set(MARKS)
    studies = replicate_frame(danayan)
    assert len(studies) == 2 * 300 * len(frame)
    for row in frame.to_dict("records"):
        own = studies[studies["quantity"] == row["quantity"]]
        ketamine = own.loc[own["arm"] == "ketamine", "value"]
        assert row["simulated"] == pytest.approx(ketamine.mean())
        assert row["simulated_mcse"] == pytest.approx(ketamine.std() / math.sqrt(300))
        assert [row["simulated_low"], row["simulated_high"]] == pytest.approx(np.percentile(ketamine, [2.5, 97.5]))
        assert row["instead"] == pytest.approx(own.loc[own["arm"] == "midazolam", "value"].mean())
        assert row["by_drug"] == pytest.approx(row["simulated"] - row["instead"])


def test_published_figures_stand_beside_them(frame):
    rows = frame.set_index("quantity")
    assert rows.loc["qids_change_bpd", "published"] == -5.95
    assert rows.loc["bsl_change_bpd", "published"] == -0.64
    assert rows.loc["qids_difference", "published_words"] == "not significant"
    assert rows.loc["qids_effect_size_bpd", "published_words"] == "large"
    assert rows.loc["response", ["published", "published_n"]].tolist() == [0.27, 190]
    # Wilson interval of 51 of 190, by the formula: (p + z²/2n ± z sqrt(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
    p, n, z = 51 / 190, 190, 1.959963984540054
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    ends = [(p + z**2 / (2 * n) + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert rows.loc["response", ["published_low", "published_high"]].tolist() == pytest.approx(ends)
    assert rows.loc["cadss_infusion_1", "evidence"] == ""


def test_printed_texts(danayan, frame):
    cells = {cell.label: cell for cell in printed(frame)}
    change = cells["QIDS-SR16 change, BPD+"]
    assert change.published == "−5.95"
    assert change.agrees.endswith("% as large")
    assert cells["QIDS-SR16 response"].published == "27.0\u00a0% (21.0 to 33.6)"
    assert cells["QIDS-SR16 change, BPD+ minus BPD−"].agrees.endswith("% p ≤ 0.05")
    assert cells["CADSS at infusion 1"].published == "–"
    assert cells["CADSS at infusion 2"].agrees.endswith("% below infusion 1")
    assert cells["QIDS-SR16 mean after, BPD+"].agrees.endswith("% moderate")


def test_findings_say_what_is_the_drugs_and_where_the_model_is_off(danayan, frame):
    said = findings(danayan, frame)
    assert len(said) == 3
    assert "is what the drug adds" in said[0]
    assert "defaults.specific_share.midazolam" in said[0]
    assert said[1].startswith("QIDS-SR16 response: the model gives")
    assert said[2].startswith("QIDS-SR16 remission: the model gives")


@pytest.mark.parametrize(
    ("simulated", "said"),
    [
        (0.40, "overestimates by 13.0 percentage points, more than the sampling error"),
        (0.30, "overestimates by 3.0 percentage points, no more than"),
        (0.25, "underestimates by 2.0 percentage points, no more than"),
        (0.10, "underestimates by 17.0 percentage points, more than"),
    ],
)
def test_over_and_under(simulated, said):
    target = Target("x", "response", "check", "qids_sr16", "", "mcintyre2020.qids_sr16.response")
    row = {
        "label": "Response", "unit": "share", "simulated": simulated, "published": 0.27, "published_low": 0.21,
        "published_high": 0.336,
    }  # fmt: skip
    assert said in _check_words(row, target)


def test_a_larger_fall_than_published_is_an_overestimate():
    target = Target("x", "change", "check", "qids_sr16", "bpd", "danayan2023.bpd.qids_sr16.change")
    row = {
        "label": "Change",
        "unit": "points",
        "published": -5.95,
        "published_low": math.nan,
        "published_high": math.nan,
    }
    assert _check_words({**row, "simulated": -7.0}, target).endswith("It overestimates by 1.05 points.")
    assert _check_words({**row, "simulated": -5.0}, target).endswith("It underestimates by 0.95 points.")


def test_histograms_hold_every_study_on_bins_of_equal_content(danayan):
    data = replay_data(danayan)
    for (quantity, _), part in data.groupby(["quantity", "arm"]):
        assert part["share"].sum() == pytest.approx(1.0), quantity
        np.testing.assert_allclose(part["low"].to_numpy()[1:], part["high"].to_numpy()[:-1])
    response = data[(data["quantity"] == "response") & (data["arm"] == "ketamine")]
    places = (response["high"] - response["low"]) / 0.01  # shares of 100 patients move by a hundredth
    np.testing.assert_allclose(places, np.rint(places), atol=1e-9)
    assert data.groupby("quantity")["low"].nunique().max() <= 37


def test_an_arm_looks_as_in_the_other_figures(danayan):
    """Ketamine is the study's arm and comes first here, and second in the scenario, as in every other figure."""
    assert danayan.variant.arms == ("midazolam", "ketamine")
    handles = draw_replay(replay_data(danayan)).legends[0].legend_handles
    colours = {handle.get_label().split(",")[0]: handle.get_color() for handle in handles}
    midazolam, ketamine = categorical_marks(2)
    assert (colours["Midazolam"], colours["Ketamine"]) == (midazolam.colour, ketamine.colour)


def test_the_figure_shows_every_quantity_and_the_published_lines(danayan):
    data = replay_data(danayan)
    figure = draw_replay(data, title="A study", note="300 simulated studies.")
    shown = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(shown) == data["quantity"].nunique()
    for axes, (_, part) in zip(shown, data.groupby("quantity", sort=False), strict=True):
        lines = [line.get_xdata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 2]
        published = part["published"].iloc[0]
        assert lines == ([] if math.isnan(published) else [published])
        assert part["mark"].iloc[0] in axes.get_xlabel()
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "Midazolam, the same patients" in words
    assert png_bytes(figure) == png_bytes(draw_replay(data, title="A study", note="300 simulated studies."))
    assert "published" in svg_text(figure)
