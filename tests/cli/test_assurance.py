"""`trialsim assurance`: power averaged over priors, told and written."""

from __future__ import annotations

import json

import pandas as pd
import pytest

QUICK = "scenarios/quick_start.yaml"
PATH = "effects.ketamine.points.qids_sr16"
PRIOR = f"priors.{PATH}={{normal: {{mean: -2, sd: 1.5}}}}"
CHEAP = {"outcomes.qids_sr16.scale": "continuous", "schedule.visits": "[14]", "sample_size": "[60, 120]"}
"""Without bounds of the scale and with one visit a draw takes a few milliseconds."""
FEW = ("--draws", "40", "--workers", "1", "--set", PRIOR, *(x for k, v in CHEAP.items() for x in ("--set", f"{k}={v}")))


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """One answer with a pilot, in Python."""
    from pathlib import Path

    import trialsim as ts

    root = Path(__file__).resolve().parents[2]
    settings = {PRIOR.partition("=")[0]: PRIOR.partition("=")[2], **CHEAP}
    return ts.assurance(root / QUICK, draws=40, relevant=2, pilots=[20, 40], settings=settings, workers=2)


def test_the_answer_is_told(command):
    done = command("assurance", QUICK, *FEW, "--relevant", "2", "--threshold", "0.7", "-q")
    lines = done.stdout.splitlines()
    assert lines[0] == "A small trial with an effect of three points"
    assert f"  {PATH}: normal(mean -2, sd 1.5)" in lines
    place = next(i for i, line in enumerate(lines) if line.split()[:2] == ["N", "Assurance"])
    headings = " ".join(" ".join(lines[place - 4 : place + 1]).split())
    assert "Power" in headings
    assert "≥ 70" in headings
    assert [line.split()[0] for line in lines[place : place + 3]] == ["N", "60", "120"]
    assert max(map(len, lines[place : place + 3])) <= 80
    assert "There is a benefit with a chance of" in done.stdout
    # 40 draws of two sizes, and four blocks at the scenario's own values.
    told = "22,000 simulated trials: 40 draws from the priors, 250 replicates of each at every number of patients;"
    assert told in " ".join(done.stdout.split())


def test_json_is_one_answer_and_python_gives_the_same_with_more_workers(command, answered):
    options = ("--relevant", "2", "--pilot", "20", "--pilot", "40", "--json")
    told = json.loads(command("assurance", QUICK, *FEW, *options).stdout)
    assert told["kind"] == "assurance"
    assert json.loads(json.dumps(answered.to_dict())) == told
    small, large = told["cells"][0]["sizes"]
    assert (small["n_total"], large["n_total"]) == (60, 120)
    for size in (small, large):
        one = size["measures"]["assurance"]
        assert one["low"] <= one["value"] <= one["high"]
        assert 0.0 < one["mcse"] < 0.1
        # The closed form at the same draws: what is left are replicates.
        gap = size["measures"]["closed_form_difference"]
        assert abs(gap["value"]) < 4.9 * gap["mcse"] + 0.02
    assert small["measures"]["assurance"]["value"] < large["measures"]["assurance"]["value"]


def test_tables_of_an_answer(answered):
    table = answered.table
    assert set(table.columns) == {"setting", "n_total", "measure", "value", "mcse", "low", "high"}
    one = table[(table["measure"] == "assurance") & (table["n_total"] == 120)].iloc[0]
    draws = answered.draws
    assert len(draws) == 40
    assert one["value"] == pytest.approx(draws["power_120"].mean())
    assert draws[PATH].mean() == pytest.approx(-2, abs=0.2)
    # The effect is what the prior is about.
    assert draws["effect"].to_numpy() == pytest.approx(draws[PATH].to_numpy())


def test_files_and_figures(command, folder, answered):
    command("assurance", QUICK, *FEW, "--pilot", "20", "--out", "answer", "-q")
    figures = ("assurance_curve", "power_distribution", "power_by_effect", "pilot_value")
    written = {path.name for path in (folder / "answer").iterdir()}
    assert written == {
        "assurance.json", "assurance.txt", "measures.csv", "draws.csv",
        *(f"{name}.{kind}" for name in figures for kind in ("png", "svg", "csv")),
    }  # fmt: skip
    by_effect = pd.read_csv(folder / "answer/power_by_effect.csv")
    assert set(by_effect["kind"]) == {"draw", "bin"}
    shares = pd.read_csv(folder / "answer/pilot_value.csv").groupby("n_pilot")["share"].sum()
    assert shares.tolist() == pytest.approx([1.0])
    at = pd.read_csv(folder / "answer/power_distribution.csv")
    for _, part in at.groupby("n_total"):
        assert part["share"].sum() == pytest.approx(1.0)
        assert part["chance"].is_monotonic_decreasing
    for figure in (answered.plot(), answered.plot_power(), answered.plot_by_effect(), answered.plot_pilot()):
        assert len(figure.axes) >= 1
    # Another answer does not replace it.
    command("assurance", QUICK, *FEW, "--pilot", "20", "--threshold", "0.9", "--out", "answer", "-q", code=4)


def test_every_combination_of_varied_values(command):
    options = (*FEW, "--set", "vary={dropout.missing_by.14: [0, 0.3]}")
    told = json.loads(command("assurance", QUICK, *options, "--cells", "--json").stdout)
    assert [cell["settings"] for cell in told["cells"]] == [{"dropout.missing_by.14": v} for v in (0, 0.3)]
    power = [cell["sizes"][0]["measures"]["assurance"]["value"] for cell in told["cells"]]
    assert power[0] > power[1]
    told = command("assurance", QUICK, *options, "-q").stdout
    assert "vary is left aside (dropout.missing_by.14)" in " ".join(told.split())


def test_a_path_cannot_be_varied_and_averaged_over(command):
    vary = ("--set", f"vary={{{PATH}: [-1, -2]}}")
    done = command("assurance", QUICK, *FEW, *vary, "--cells", code=2)
    assert f"{PATH} has a prior and is varied" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "priors: there are none to average over"),
        (("--set", PRIOR, "--draws", "7"), "draws: must lie between 40 and 100,000; got 7"),
        (("--set", PRIOR, "--threshold", "1.2"), "threshold: must lie between 0 and 1; got 1.2"),
        (("--set", PRIOR, "--relevant", "-2"), "relevant: is the size of a benefit, at least 0; got -2"),
        (("--set", PRIOR, "--pilot", "2"), "pilot: must have 4 to 10,000 patients; got 2"),
        (("--set", PRIOR, "--go", "0.6"), "--go: decides after a pilot: give --pilot with its number of patients too"),
        (("--set", PRIOR, "--pilot", "20", "--pilot", "20"), "pilot: the same number of patients is given twice"),
        (("--set", f"priors.{PATH}={{normal: {{mean: -9, sd: 8}}}}"), "what is drawn cannot always be: with"),
    ],
)
def test_bad_input_is_told_before_work_starts(command, options, message):
    done = command("assurance", QUICK, *options, code=2)
    assert message in " ".join(done.stderr.split())


def test_a_draw_that_cannot_be_is_told_when_it_is_met(command, folder, monkeypatch):
    from trialsim.planning.prior_draws import PriorDraws

    monkeypatch.setattr(PriorDraws, "extremes", lambda self: [])
    text = (folder / QUICK).read_text(encoding="utf-8")
    (folder / "wide.yaml").write_text(f"{text}priors:\n  {PATH}: {{normal: {{mean: -9, sd: 8}}}}\n", encoding="utf-8")
    done = command("assurance", "wide.yaml", "--draws", "40", "--workers", "1", "--set", "sample_size=40", code=2)
    line = 1 + len(text.splitlines())
    assert f"wide.yaml:{line}:1: priors: what is drawn cannot always be" in done.stderr
    assert "outside the scale" in " ".join(done.stderr.split())


def test_draws_that_cannot_be_are_left_out_on_request(command):
    wide = ("--set", f"priors.{PATH}={{normal: {{mean: -9, sd: 8}}}}", "--set", "sample_size=40", "--draws", "40")
    told = json.loads(command("assurance", QUICK, *wide, "--leave-out", "--workers", "1", "--json").stdout)
    cell = told["cells"][0]
    assert cell["left_out"] > 0
    assert cell["draws"] + cell["left_out"] == 40
    assert len(cell["table"]["effect"]) == cell["draws"]


def test_other_commands_say_that_priors_are_left_aside(command, folder):
    said = f"priors are left aside ({PATH})"
    quick = ("--set", PRIOR, "--set", "sample_size=60", "--replicates", "20")
    assert said in " ".join(command("run", QUICK, *quick, "--workers", "1").stdout.split())
    told = json.loads(command("run", QUICK, *quick, "--json").stdout)
    assert said in told["notes"][0]
    sized = command(
        "size", QUICK, "--set", PRIOR, "--precision", "0.2", "--power", "0.6", "-q", "--workers", "1"
    ).stdout
    assert said in " ".join(sized.split())


def test_explain_shows_priors(command):
    told = " ".join(command("explain", "scenarios/assurance.yaml").stdout.split())
    assert "priors.ketamine_vs_midazolam.qids_sr16.robust" in told
    assert "Two thirds of the open-label change" in told
    assert "rank correlation of what is drawn" in told


def test_an_interaction_has_no_benefit(command):
    stratum = ("--set", "effects.ketamine.points.qids_sr16={bpd: -2, no_bpd: -2}")
    options = (*FEW[:4], *stratum, "--set", "estimands.primary.interaction=[bpd, no_bpd]", "--set", "sample_size=60")
    options += ("--set", "outcomes.qids_sr16.scale=continuous", "--set", "schedule.visits=[14]")
    modifier = f"{{normal: {{mean: 0, sd: 2}}, relative_to: {PATH}.no_bpd}}"
    options += ("--set", f"priors={{{PATH}.bpd: {modifier}}}")
    told = json.loads(command("assurance", QUICK, *options, "--json").stdout)
    cell = told["cells"][0]
    assert told["benefit_sign"] == 0
    assert "benefit" not in cell["measures"]
    assert "success_and_benefit" not in cell["sizes"][0]["measures"]
    # The prior is on the difference, and the effect is the difference.
    assert cell["measures"]["effect_sd"]["value"] == pytest.approx(2, abs=0.3)
    assert "benefit" not in command("assurance", QUICK, *options, "-q").stdout
    refused = command("assurance", QUICK, *options, "--relevant", "1", code=2).stderr
    assert "an interaction has none" in refused


def test_where_no_trial_can_be_analysed_that_is_said(command):
    lost = ("--set", "dropout={missing_by: {14: 0.9999}}", "--set", "sample_size=20", "--pilot", "8")
    assert "No trial could be analysed." in command("assurance", QUICK, *FEW[:-2], *lost, "-q").stdout


def test_all_hypotheses_together(command):
    margin = "{outcome: qids_sr16, visit: 14, contrast: [ketamine, midazolam], non_inferiority_margin: 1}"
    second = f"estimands.second={margin}"
    told = json.loads(command("assurance", QUICK, *FEW, "--set", second, "--goal", "all", "--json").stdout)
    alone = json.loads(command("assurance", QUICK, *FEW, "--set", second, "--json").stdout)
    assert told["hypothesis"] == "primary and second"
    # A superior treatment is not inferior, so both succeed where the first does.
    for one, other in zip(told["cells"][0]["sizes"], alone["cells"][0]["sizes"], strict=True):
        assert one["measures"]["assurance"]["value"] == other["measures"]["assurance"]["value"]


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (
            2.5,
            "If it succeeds, the benefit is real with 0.0 % (of so few draws that no error can be told), and at least",
        ),
        (3.5, "No simulated trial succeeded, so nothing can be said of trials that do."),
    ],
)
def test_hardly_any_success_has_no_error_and_none_is_said(command, mean, words):
    given = {
        **CHEAP,
        "sample_size": "60",
        f"priors.{PATH}": f"{{normal: {{mean: {mean}, sd: 0.3}}}}",
    }
    options = [part for path, value in given.items() for part in ("--set", f"{path}={value}")]
    done = command("assurance", QUICK, "--draws", "40", "--workers", "1", "--relevant", "2", "-q", *options)
    told = " ".join(done.stdout.replace("\u00a0", " ").split())
    assert "?" not in told
    assert words in told


def test_of_several_hypotheses_it_is_told_whose_estimate_is_shown(command):
    both = ("--set", "analysis={primary: [{method: mmrm}, {method: ancova}]}")
    plan = ("--set", "multiplicity={method: co_primary, hypotheses: [primary.mmrm, primary.ancova]}")
    told = " ".join(command("assurance", QUICK, *FEW, *both, *plan, "-q").stdout.split())
    assert "A trial that finds all of them succeeds; benefit, truth and estimate are of primary." in told
    assert "The estimate of primary will lie between" in told
    assert "Its estimate" not in told
