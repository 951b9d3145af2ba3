"""Power of what decides the trial where hypotheses are tested together: the same in every answer about one trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.text import Text

import trialsim as ts
from trials import simulated

ROOT = Path(__file__).parents[3]
TWO = {
    "outcomes": {"qids_sr16": {}, "bsl23": {}},
    "effects": {"ketamine": {"points": {"qids_sr16": -3, "bsl23": -0.3}}},
    "estimands": {
        "primary": {"outcome": "qids_sr16", "visit": 14, "contrast": ["ketamine", "midazolam"]},
        "bpd": {"outcome": "bsl23", "visit": 14, "contrast": ["ketamine", "midazolam"]},
    },
    "simulation": {"replicates": 250, "seed": 1},
    "sample_size": 100,
}
CO_PRIMARY = {"multiplicity": {"method": "co_primary", "hypotheses": ["primary", "bpd"]}}
IN_TURN = {"multiplicity": {"method": "fixed_sequence", "hypotheses": ["bpd", "primary"]}}
DESIGNS = {"designs": {"base": {}, "larger": {"sample_size": 200}}}


def written(folder, *parts, name="trial.yaml"):
    """Write the quick start with two outcomes and further parts."""
    document = yaml.safe_load((ROOT / "scenarios/quick_start.yaml").read_text(encoding="utf-8"))
    for part in (TWO, *parts):
        document |= part
    path = folder / name
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def successes(folder, procedure):
    """Return which trials of a run succeed, from the p-values and estimates of their hypotheses alone."""
    table = pd.read_parquet(folder / "estimates.parquet").set_index("replicate")
    primary, bpd = (table[table["estimand"] == name] for name in ("primary", "bpd"))
    found, other = ((one["p"] <= 0.05) & (one["estimate"] < 0) for one in (primary, bpd))
    if procedure == "co_primary":
        return (found & other).to_numpy(dtype=float)
    return (found & (bpd["p"] <= 0.05)).to_numpy(dtype=float)


@pytest.fixture(scope="module", params=[CO_PRIMARY, IN_TURN], ids=["co_primary", "fixed_sequence"])
def compared(request, tmp_path_factory):
    """Two designs of two hypotheses, compared, and the procedure."""
    folder = tmp_path_factory.mktemp("compared")
    file = written(folder, request.param, DESIGNS)
    return ts.compare(file, out=folder / "out", workers=1), request.param["multiplicity"]["method"]


def test_compare_has_the_power_of_what_decides_the_trial(compared):
    result, procedure = compared
    each = [successes(result.folder / "designs" / name, procedure) for name in ("base", "larger")]
    designs = result.designs.set_index("name")
    assert list(designs["power"]) == pytest.approx([one.mean() for one in each])
    assert list(designs["adjusted_power"]) == list(designs["power"])
    assert (designs["power_alone"] > designs["power"]).all()
    (pair,) = result.differences.to_dict("records")
    apart = each[1] - each[0]
    assert pair["power_difference"] == pytest.approx(apart.mean())
    assert pair["power_difference_mcse"] == pytest.approx(np.sqrt(apart.var() / len(apart)))


def test_compare_says_what_the_power_is_of(compared):
    result, procedure = compared
    words = {
        "co_primary": "Power for both co-primary hypotheses",
        "fixed_sequence": "Power within the procedure (fixed sequence)",
    }[procedure]
    assert any(words in heading for heading in result.table().header)
    assert any("test alone" in heading for heading in result.table().header)
    told = " ".join(result.findings)
    assert f"Best by {words[0].lower()}{words[1:]}: larger" in told
    assert ("larger finds both co-primary hypotheses" in told) == (procedure == "co_primary")
    for figure in (result.plot_forest(), result.plot_power(), result.plot_pareto()):
        assert words[1:] in " ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))
    assert words in result.report.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", [CO_PRIMARY, IN_TURN], ids=["co_primary", "fixed_sequence"])
def test_diff_has_the_power_of_what_decides_the_trial(tmp_path, part):
    procedure = part["multiplicity"]["method"]
    folders = [tmp_path / name for name in ("a", "b")]
    for folder, points in zip(folders, (-3, -2), strict=True):
        effects = {"effects": {"ketamine": {"points": {"qids_sr16": points, "bsl23": -0.3}}}}
        simulated(written(tmp_path, part, effects), folder)
    each = [successes(folder, procedure) for folder in folders]
    row = ts.diff(*folders).power.set_index("estimand").loc["primary"]
    assert (row["within_a"], row["within_b"]) == (procedure, procedure)
    assert (row["power_a"], row["power_b"]) == pytest.approx([one.mean() for one in each])
    apart = each[0] - each[1]
    assert row["difference"] == pytest.approx(apart.mean())
    assert row["mcse"] == pytest.approx(apart.std(ddof=1) / np.sqrt(len(apart)))
    assert row["alone_a"] > row["power_a"]
    assert row["alone_b"] > row["power_b"]


@pytest.mark.parametrize("part", [CO_PRIMARY, IN_TURN], ids=["co_primary", "fixed_sequence"])
def test_sensitivity_has_the_power_of_what_decides_the_trial(tmp_path, part):
    file, procedure = written(tmp_path, part), part["multiplicity"]["method"]
    simulated(file, tmp_path / "run")
    ranges = {"effects.ketamine.points.qids_sr16": [-3, -2], "effects.ketamine.points.bsl23": [-0.3, -0.2]}
    found = ts.sensitivity(file, ranges=ranges, replicates=250, workers=1)
    answer = found.to_dict()
    assert answer["base"] == pytest.approx(successes(tmp_path / "run", procedure).mean())
    assert {bar["path"] for bar in answer["bars"]} >= set(ranges)
    words = {
        "co_primary": "Power for both co-primary hypotheses with 100",
        "fixed_sequence": "Power within the procedure (fixed sequence) of primary with 100",
    }[procedure]
    assert words in str(found)
    bias = ts.sensitivity(file, ranges=ranges, metric="bias", replicates=250, workers=1).to_dict()
    assert any("of the test of primary alone" in note for note in bias["notes"])


@pytest.mark.parametrize("part", [CO_PRIMARY, IN_TURN], ids=["co_primary", "fixed_sequence"])
def test_attribution_is_of_what_decides_the_trial(tmp_path, part):
    procedure = part["multiplicity"]["method"]
    weaker = {"effects": {"ketamine": {"points": {"qids_sr16": -2, "bsl23": -0.25}}}}
    first = written(tmp_path, part)
    second = written(tmp_path, part, weaker, name="weaker.yaml")
    powers = []
    for file in (first, second):
        simulated(file, tmp_path / file.stem)
        powers.append(successes(tmp_path / file.stem, procedure))
    found = ts.attribute(first, second, replicates=250, workers=1)
    answer = found.to_dict()
    assert answer["procedure"] == procedure
    assert [answer["power_first"], answer["power_second"]] == pytest.approx([one.mean() for one in powers])
    apart = powers[1] - powers[0]
    assert answer["difference_mcse"] == pytest.approx(apart.std(ddof=1) / np.sqrt(len(apart)))
    names = {one["name"] for one in answer["contributions"]}
    assert names == {"effects.ketamine.points.qids_sr16", "effects.ketamine.points.bsl23"}
    assert sum(one["contribution"] for one in answer["contributions"]) == pytest.approx(apart.mean())
    words = {
        "co_primary": "Power for both co-primary hypotheses: ",
        "fixed_sequence": "Power within the procedure (fixed sequence) of primary: ",
    }[procedure]
    assert words in str(found)
    assert answer["notes"] == []
    assert words.removesuffix(": ") in figure_words(found)


def test_what_another_hypothesis_of_the_procedure_is_analysed_by_is_an_assumption(tmp_path):
    first = written(tmp_path, CO_PRIMARY)
    second = written(tmp_path, CO_PRIMARY, {"analysis": {"bpd": {"method": "ancova"}}}, name="other.yaml")
    answer = ts.attribute(first, second, replicates=250, workers=1).to_dict()
    assert [one["name"] for one in answer["contributions"]] == ["analysis.bpd.method"]


def test_leaving_is_an_assumption_where_both_have_the_same_procedure(tmp_path):
    first = written(tmp_path, CO_PRIMARY)
    second = written(tmp_path, CO_PRIMARY, {"dropout": {"missing_by": {14: 0.2}}}, name="other.yaml")
    answer = ts.attribute(first, second, replicates=250, workers=1).to_dict()
    assert answer["procedure"] == "co_primary"
    assert [one["name"] for one in answer["contributions"]] == ["dropout.missing_by.14"]


@pytest.mark.parametrize("other", [{}, {"multiplicity": {**CO_PRIMARY["multiplicity"], "method": "holm"}}])
def test_attribution_between_two_procedures_is_of_the_test_and_says_so(tmp_path, other):
    weaker = {"effects": {"ketamine": {"points": {"qids_sr16": -2, "bsl23": -0.25}}}}
    first, second = written(tmp_path, CO_PRIMARY), written(tmp_path, other, weaker, name="other.yaml")
    found = ts.attribute(first, second, replicates=250, workers=1)
    answer = found.to_dict()
    assert answer["procedure"] == ""
    assert any("of the test of primary alone" in note for note in answer["notes"])
    assert "of the test of primary alone" in figure_words(found)
    alone = ts.attribute(written(tmp_path), second, replicates=250, workers=1).to_dict()
    assert answer["power_first"] == alone["power_first"]


def test_the_tipping_point_is_of_what_decides_the_trial(tmp_path):
    file = written(tmp_path, CO_PRIMARY, {"dropout": {"missing_by": {14: 0.2}}})
    simulated(file, tmp_path / "run")
    found = ts.design_tipping_point(file, target=0.3, replicates=250, workers=1)
    answer = found.to_dict()
    assert answer["power_at_random"] == pytest.approx(successes(tmp_path / "run", "co_primary").mean())
    assert answer["procedure"] == "co_primary"
    assert answer["power_at_0"] <= answer["power_at_random"] + 0.1
    assert "Power for both co-primary hypotheses, where delta is added in the analysis of primary," in " ".join(
        str(found).split()
    )
    assert "Power for both co-primary hypotheses; delta is added for primary." in figure_words(found)
    alone = ts.design_tipping_point(file, estimand="bpd", target=0.3, replicates=250, workers=1).to_dict()
    assert alone["power_at_random"] == answer["power_at_random"]


def figure_words(found):
    """Return all that stands in a figure, in one line."""
    return " ".join(" ".join(text.get_text() for text in found.plot().findobj(Text)).split())


def test_a_question_outside_the_procedure_has_the_power_of_its_test(tmp_path):
    file = written(tmp_path, {"multiplicity": {"method": "holm", "hypotheses": ["primary", "bpd"]}}, DESIGNS)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["estimands"]["early"] = {**document["estimands"]["primary"], "visit": 7}
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    result = ts.compare(file, out=tmp_path / "out", estimand="early", workers=1)
    assert result.designs["power"].equals(result.designs["power_alone"])
    assert result.designs["adjusted_power"].isna().all()
    assert any("outside" in note for note in result.notes)
