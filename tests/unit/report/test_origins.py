"""Which of the numbers behind a figure are assumed: told under it, and only where it is so."""

from __future__ import annotations

import pytest

from trials import BOUNDED, CONTINUOUS, changed, write
from trialsim import api
from trialsim.report.origins import CORRELATIONS, DISSOCIATION, SCORES, origin_words
from trialsim.report.style import png_bytes
from trialsim.scenario import Provenance

CADSS = {"mean": [9, 7, 6, 5], "sd": [9, 7, 6, 5], "zeros": 0.1}
ALL_GIVEN = changed(
    BOUNDED,
    {
        "dissociation": {
            "infusions": {"ketamine": CADSS, "midazolam": {**CADSS, "zeros": 0.3}},
            "correlation": 0.4,
            "bpd_multiplier": 1.2,
        }
    },
)


def under(figure):
    """Return the small words of a figure on one line: the note at its foot, or the title of its key."""
    words = [figure.get_supxlabel(), *(key.get_title().get_text() for key in figure.legends)]
    return " ".join(" ".join(words).split())


def figures_of(document, tmp_path):
    return api.plot_cohort(api.load(write(tmp_path, document)), n=60)


def test_every_figure_of_default_numbers_says_assumed(tmp_path):
    figures = figures_of(changed(BOUNDED, {"dissociation": {}}), tmp_path)
    assert list(figures) == ["trajectories", "distributions", "correlations", "dissociation"]
    for figure in figures.values():
        assert "assumed" in under(figure)
    told = under(figures["dissociation"])
    assert "are all assumed." in told
    assert not {"measured", "derived", "given"} & set(told.replace(":", "").split())
    scores = under(figures["trajectories"])
    assert "measured: baseline scores (1 of 6)" in scores
    assert "assumed: baseline scores (3 of 6)" in scores


def test_nothing_is_called_assumed_where_the_user_gave_every_number(tmp_path):
    for name, figure in figures_of(CONTINUOUS, tmp_path).items():
        assert "assumed" not in under(figure), name
        assert "are all given in the scenario." in under(figure), name
    told = under(figures_of(ALL_GIVEN, tmp_path)["dissociation"])
    assert "assumed" not in told
    assert "are all given in the scenario." in told


def test_one_number_left_to_the_catalogue_is_told(tmp_path):
    one_left = changed(ALL_GIVEN, {"dissociation.correlation": None})
    told = under(figures_of(one_left, tmp_path)["dissociation"])
    assert "assumed: correlations;" in told
    assert "given in the scenario: means and SDs" in told


@pytest.mark.parametrize("document", [BOUNDED, CONTINUOUS], ids=["bounded", "continuous"])
def test_the_words_are_beside_nothing_else(document, tmp_path):
    for name, figure in figures_of(changed(document, {"title": "A title " * 12}), tmp_path).items():
        png_bytes(figure)
        renderer = figure.canvas.get_renderer()
        note = next(
            (text for text in [figure._supxlabel] if text is not None),
            figure.legends[0] if figure.legends else None,
        )
        box = note.get_window_extent(renderer)
        assert box.x0 >= 0, name
        assert box.y0 >= -1, name
        assert box.x1 <= figure.bbox.x1, name
        for axes in figure.axes:
            assert axes.get_tightbbox(renderer).y0 >= box.y1 - 1, name
            assert axes.get_window_extent(renderer).height > 60, name


def test_settings_without_a_number_or_an_origin_do_not_count():
    rows = [
        Provenance("dropout.model", "mar", "given"),
        Provenance("dropout.never_starts", 0.0, "default"),
        Provenance("dropout.missing_by", {14: 0.1}, "given"),
        Provenance("course.timing", [0.4, 1.0], "evidence", "assumed"),
        Provenance("covariance.visits.anchors.14", 0.6, "evidence", "assumed"),
    ]
    assert origin_words(rows[:2], SCORES) == ""
    assert origin_words(rows, CORRELATIONS) == ""
    assert origin_words(rows[:3], SCORES) == "The numbers behind it (dropout) are all given in the scenario."
    told = origin_words(rows, SCORES)
    assert told == "The numbers behind it are assumed: course over time; given in the scenario: dropout."
    assert origin_words(rows, DISSOCIATION) == ""
