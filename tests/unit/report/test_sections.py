"""Sections of a report that are there only where a run has files for them."""

from pathlib import Path

import pytest

import trialsim as ts

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture(scope="module")
def unblinded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unblinding")
    settings = {"sample_size": [60], "simulation.replicates": 20}
    return ts.run(SCENARIOS / "unblinding.yaml", out=folder / "out", workers=1, settings=settings)


def test_guesses_and_expectancy_are_told_where_they_are_modelled(unblinded):
    page = unblinded.report.read_text(encoding="utf-8")
    assert '<section id="blinding"' in page
    assert '<a href="#blinding">Guesses and expectancy</a>' in page
    assert "Bang&#39;s index" in page
    assert '<section id="safety"' not in page


def test_safety_is_told_where_it_is_simulated(tmp_path):
    settings = {"sample_size": [40], "simulation.replicates": 20, "safety": {}}
    made = ts.run(SCENARIOS / "quick_start.yaml", out=tmp_path / "out", workers=1, settings=settings)
    page = made.report.read_text(encoding="utf-8")
    assert '<section id="safety"' in page
    assert "patients, %</th>" in page
    assert '<section id="blinding"' not in page


def test_sentences_wrap_and_numbers_do_not(tmp_path):
    settings = {"sample_size": [40, 400], "simulation.replicates": 20, "effects.ketamine.points.qids_sr16": -9}
    made = ts.run(SCENARIOS / "quick_start.yaml", out=tmp_path / "out", workers=1, settings=settings)
    page = made.report.read_text(encoding="utf-8")
    clinic = page[page.index('<section id="clinic"') :].partition("</section>")[0]
    assert '<th scope="col" class="text">What it means</th>' in clinic
    assert '<td class="text">9.00 points fewer' in clinic
    assert "<td>" not in clinic


def test_a_line_may_end_between_a_number_and_its_range(tmp_path):
    settings = {"sample_size": [400], "simulation.replicates": 20, "effects.ketamine.points.qids_sr16": -9}
    made = ts.run(SCENARIOS / "quick_start.yaml", out=tmp_path / "out", workers=1, settings=settings)
    page = made.report.read_text(encoding="utf-8")
    assert '<span class="ranged"><span>100.0</span> <span>(83.9 to 100.0)</span></span>' in page


def test_guesses_of_arms_have_words_on_the_left(unblinded):
    page = unblinded.report.read_text(encoding="utf-8")
    assert '<th scope="col" class="text">Arm</th>' in page
    assert '<th scope="col" class="text">Question</th>' in page
