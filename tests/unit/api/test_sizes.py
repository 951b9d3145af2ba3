"""Sizes of all cells of a scenario: table, figure and files."""

import io
import json

import pandas as pd
import pytest

import trialsim as ts
from trials import CONTINUOUS, write
from trialsim.errors import InputError

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}}
ANALYSIS = {"analysis.primary": [{"method": "t_test"}]}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    changes = {**EFFECT, **ANALYSIS, "vary": {"outcomes.score.post_sd": [5.0, 7.0]}}
    return write(tmp_path_factory.mktemp("sizes"), CONTINUOUS, changes)


@pytest.fixture(scope="module")
def sizes(scenario):
    return ts.required_sample_sizes(scenario, power=0.9, precision=0.1, workers=1)


def test_each_cell_has_the_answer_that_it_has_alone(scenario, sizes):
    for value, answer in zip((5.0, 7.0), sizes.answers, strict=True):
        alone = ts.required_sample_size(
            scenario, power=0.9, precision=0.1, workers=1, settings={"outcomes.score.post_sd": value}
        )
        assert answer.n_total == pytest.approx(alone.n_total, rel=0.1)
    # The size goes with the variance.
    assert sizes.answers[1].n_exact / sizes.answers[0].n_exact == pytest.approx(1.96, rel=0.15)


def test_table_and_words(sizes):
    table = sizes.table
    assert table["value"].tolist() == [5.0, 7.0]
    assert table["n_total"].tolist() == [answer.n_total for answer in sizes.answers]
    assert (table["n_low"] <= table["n_total"]).all()
    assert abs(table["closed_form"] - table["n_total"]).max() <= 0.2 * table["n_total"].max()
    lines = sizes.text.splitlines()
    assert lines[1] == "Patients randomised for 90 % power."
    assert lines[3].split()[:2] == ["5", f"{sizes.answers[0].n_total}"]
    assert repr(sizes) == sizes.text


def test_files(sizes):
    files = sizes.files()
    assert set(files) == {"sizes.json", *(f"size_by_setting.{end}" for end in ("png", "svg", "csv"))}
    told = json.loads(files["sizes.json"])
    assert told["kind"] == "required_sizes"
    assert [cell["settings"] for cell in told["cells"]] == [
        {"outcomes.score.post_sd": 5.0},
        {"outcomes.score.post_sd": 7.0},
    ]
    csv = pd.read_csv(io.BytesIO(files["size_by_setting.csv"]))
    assert csv["n_total"].tolist() == [cell["n_total"] for cell in told["cells"]]
    axes = sizes.plot().axes[0]
    assert axes.get_title(loc="left") == "Patients for 90\u00a0% power"
    assert axes.get_yscale() == "log"


def test_settings_out_of_reach_are_in_table_figure_and_words(scenario):
    settings = {"vary": {"course.means.score.active": [[18.0, 16.0, 15.0], [18.0, 16.0, 12.0]]}}
    sizes = ts.required_sample_sizes(scenario, precision=0.1, workers=1, settings=settings)
    assert sizes.table["reached"].tolist() == [False, True]
    assert "nothing to find" in sizes.text
    texts = [text.get_text() for text in sizes.plot().axes[0].texts]
    assert "out of reach" in texts


def test_nothing_varied_is_a_fault(scenario):
    with pytest.raises(InputError, match="vary: there is nothing under it"):
        ts.required_sample_sizes(ts.load(scenario, settings={"vary": {}}))
