"""`trialsim formula` and `ts.formula`: the closed forms by name, from the command line and from Python."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

import trialsim as ts
from trialsim.api.formula import MODULES
from trialsim.cli.formula_source import formula_source, summary_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_has_every_formula_by_subject(command):
    text = command("formula").stdout
    assert all(name in text for name in MODULES)
    listed = json.loads(command("formula", "--json").stdout)
    assert [name for names in listed.values() for name in names] == list(MODULES)
    assert list(listed)[:3] == ["Means", "Margins", "Repeated measures"]


@pytest.mark.parametrize("name", MODULES)
def test_what_the_source_says_is_what_the_function_takes(name):
    """Read without importing: names, defaults and what is required agree with the imported function."""
    source, function = formula_source(name), getattr(ts.formula, name)
    taken = inspect.signature(function).parameters
    assert [argument.name for argument in source.arguments] == list(taken)
    for argument in source.arguments:
        default = taken[argument.name].default
        assert argument.required == (default is inspect.Parameter.empty)
        assert argument.required or argument.default == default
        assert argument.help, argument.name
    assert summary_of(name)
    assert source.sources
    assert source.solves == (inspect.signature(function).return_annotation == "Answer")
    assert sum(argument.is_effect for argument in source.arguments) <= 1


@pytest.mark.parametrize("name", MODULES)
def test_help_of_a_formula_fits_the_screen(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    text = command("formula", name, "--help").stdout
    assert text == command("formula", name, "-h").stdout
    assert max(map(len, text.splitlines())) <= 80
    for argument in formula_source(name).arguments:
        assert f"  {argument.option}" in text


def test_size(command):
    given = ["--effect", "0.5", "--sd", "1", "--power", "0.8"]
    answer = json.loads(command("formula", "two_sample_t", *given, "--json").stdout)
    same = ts.formula.two_sample_t(difference=0.5, sd=1.0, power=0.8)
    assert answer["quantity"] == "size"
    assert answer["n_rounded"] == [64, 64] == list(same.n_rounded)
    assert answer["value"] == same.value
    assert answer["given"] == {"difference": 0.5, "sd": 1.0, "power": 0.8}
    assert answer["source"][0].startswith("Julious SA (2004)")
    text = command("formula", "two_sample_t", *given).stdout
    assert "128 participants: 64 + 64 (control + active)" in text
    assert "two-sample t test, noncentral t" in text


def test_whole_blocks_of_the_ratio(command):
    given = ["--difference=3", "--sd=6", "--power=.9", "--ratio", "2:1"]
    rounded = json.loads(command("formula", "two_sample_t", *given, "--json").stdout)["n_rounded"]
    assert rounded[0] == 2 * rounded[1]


def test_power_and_effect(command):
    power = json.loads(
        command("formula", "two_sample_t", "--effect=-3", "--sd", "6", "--n-total", "100", "--json").stdout
    )
    assert power["quantity"] == "power"
    assert power["power"] == ts.formula.two_sample_t(difference=-3.0, sd=6.0, n_total=100).power
    effect = json.loads(
        command("formula", "two_sample_t", "--sd", "6", "--n-total", "100", "--power", ".9", "--json").stdout
    )
    assert effect["value"] == ts.formula.two_sample_t(sd=6.0, n_total=100, power=0.9).effect


VISITS = [[4.0, 2.0, 2.0], [2.0, 4.0, 2.0], [2.0, 2.0, 4.0]]
EVERY_DESIGN = [
    ("ancova --effect 3 --sd 6 --correlation .5", {"difference": 3, "sd": 6, "correlation": 0.5}),
    ("two_proportions --p-control .3 --effect .5", {"p_control": 0.3, "p_active": 0.5}),
    (
        "farrington_manning --p-control .7 --p-active .7 --null -.1",
        {"p_control": 0.7, "p_active": 0.7, "null": -0.1},
    ),
    ("noninferiority_means --margin 2 --sd 6", {"margin": 2, "sd": 6}),
    ("equivalence_means --margin -2,3 --sd 6", {"margin": [-2, 3], "sd": 6}),
    (
        "mmrm --effect 3 --sd 4,5 --correlation 1,.5;.5,1 --staying 1,.8;1,.7",
        {"difference": 3, "sd": [4, 5], "correlation": [[1, 0.5], [0.5, 1]], "staying": [[1, 0.8], [1, 0.7]]},
    ),
    (
        "slope_difference --effect .4 --times 0,1,2 --visit-covariance [[4,2,2],[2,4,2],[2,2,4]]",
        {"difference": 0.4, "times": [0, 1, 2], "visit_covariance": VISITS},
    ),
    ("logrank_events --effect .6", {"hazard_ratio": 0.6}),
    (
        "logrank --control-hazard .1 --effect .6 --accrual 12 --follow-up 6",
        {"control_hazard": 0.1, "hazard_ratio": 0.6, "accrual": 12, "follow_up": 6},
    ),
    (
        "two_by_two --means -1,0;0,-3 --effect interaction --sd 6",
        {"means": [[-1, 0], [0, -3]], "effect": "interaction", "sd": 6},
    ),
    (
        "cluster_randomised_means --effect 3 --sd 6 --icc .05 --cluster-size 10",
        {"difference": 3, "sd": 6, "icc": 0.05, "cluster_size": 10},
    ),
    (
        "partially_nested --effect 3 --sd 6 --icc .05 --group-size 8 --reference t",
        {"difference": 3, "sd": 6, "icc": 0.05, "group_size": 8, "reference": "t"},
    ),
    ("mann_whitney --effect .64 --either-direction", {"superiority": 0.64, "either_direction": True}),
    ("assurance --prior-mean 3 --prior-sd 1 --sd 6", {"prior_mean": 3, "prior_sd": 1, "sd": 6}),
]


@pytest.mark.parametrize(("words", "given"), EVERY_DESIGN, ids=[words.split()[0] for words, _ in EVERY_DESIGN])
def test_every_design_gives_what_python_gives(command, words, given):
    answer = json.loads(command("formula", *words.split(" "), "--power", ".9", "--json").stdout)
    expected = getattr(ts.formula, words.split(" ")[0])(**given, power=0.9)
    assert answer["value"] == pytest.approx(expected.value, rel=1e-12)
    assert answer["method"] == expected.method
    assert answer["n_rounded"] == list(expected.n_rounded)


def test_mmrm_by_losses_is_that_by_inflation():
    visits = [[1.0, 0.6], [0.6, 1.0]]
    phi = ts.formula.variance_inflation(visits, [1.0, 0.8])
    given = {"difference": 3.0, "sd": 6.0, "power": 0.9}
    by_phi = ts.formula.mmrm(**given, inflation=phi).value
    assert ts.formula.mmrm(**given, correlation=0.6, staying=[1.0, 0.8]).value == by_phi
    assert ts.formula.mmrm(**given, correlation=visits, staying=[[1.0, 0.8]] * 2).value == by_phi


def test_a_number_that_is_no_answer(command):
    words = ["level_if_groups_ignored", "--icc", ".05", "--group-size", "8"]
    value = ts.formula.level_if_groups_ignored(icc=0.05, group_size=8)
    assert json.loads(command("formula", *words, "--json").stdout)["value"] == value
    assert "0.0705866" in command("formula", *words).stdout


def test_the_effect_that_a_margin_needs(command):
    """Its effect is 0 unless given, and solved for where size and power are given."""
    text = command(
        "formula", "noninferiority_means", "--margin=2", "--sd=6", "--power=.9", "--n-total=200", "--json"
    ).stdout
    assert json.loads(text)["quantity"] == "effect"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("t_test", ["t_test: is no formula; did you mean two_sample_t? (trialsim"]),
        ("two_sampl", ["two_sampl: is no formula; did you mean two_sample_"]),
        ("--sd 6 two_sample_t", ["the formula comes first"]),
        (
            "two_sample_t --efect 3 --sd x --power .8",
            ["--efect: is no argument; did you mean --effect?", "--sd: must be a number, not 'x'"],
        ),
        ("two_sample_t --effect 3 --difference 2 --power .8", ["--difference: is given twice"]),
        ("two_sample_t --effect 3 4 --power .8", ["4: belongs to no argument"]),
        ("two_sample_t --effect --power .8", ["--effect: needs a number"]),
        ("two_sample_t --effect 3 --sd -1 --power .8", ["--sd: must be a number above 0, not -1.0"]),
        ("two_sample_t --effect 3", ["leave out exactly one of --effect, ", "--n-total and --power are left out"]),
        ("ancova --effect 3 --power .8", ["--correlation: is missing. Between baseline and last score"]),
        ("one_way --f .25 --groups 2.5 --power .8", ["--groups: must be a whole number"]),
        ("two_by_two --means 1,2,3 --effect first --power .8", ["--means: must be two rows of two"]),
        ("mmrm --effect 3 --sd 1 --correlation 1,.5;.5 --staying 1,.8 --power .8", ["--correlation", "see --help"]),
        ("mmrm --effect 3 --sd 1 --power .8", ["--correlation: is left out; give correlation and staying"]),
        ("mmrm --effect 3 --sd 1 --inflation 1.1 --staying 1,.8 --power .8", ["--inflation: is given beside"]),
        ("mmrm --effect 3 --sd 1 --correlation [1,.5 --power .8", ["--correlation: must be numbers"]),
    ],
)  # fmt: skip
def test_faults_say_where_and_what_to_do(command, words, told):
    error = command("formula", *words.split(" "), code=2).stderr
    assert "trialsim formula" in error
    for part in told:
        assert part in error, error


UNREACHABLE = [
    ("two_sample_t --difference 0 --sd 6 --power .9", "n_total", 0.025),
    ("logrank_events --hazard-ratio 1 --power .9", "n_total", 0.025),
    ("farrington_manning --p-control .3 --p-active .3 --power .9", "n_total", 0.025),
    ("mann_whitney --superiority .5 --power .9 --sides 1", "n_total", 0.05),
    ("assurance --prior-mean .5 --prior-sd .5 --sd 1 --power .9", "n_total", 0.8413447),
]


@pytest.mark.parametrize(("words", "quantity", "highest"), UNREACHABLE, ids=lambda case: str(case).split(" ")[0])
def test_a_power_that_no_size_reaches_is_an_answer(command, words, quantity, highest):
    shown = " ".join(command("formula", *words.split()).stdout.split())
    assert "0.9 cannot be reached: no " in shown
    told = json.loads(command("formula", *words.split(), "--json").stdout)
    assert told["value"] is None
    assert told["quantity"] == quantity
    assert told["reason"].startswith("no ")
    assert told["highest"] == pytest.approx(highest, abs=1e-6)


def test_the_power_to_find_nothing_is_the_level_and_a_negative_sd_is_a_fault(command):
    done = command("formula", "two_sample_t", "--difference", "0", "--sd", "6", "--n-total", "80", "--json")
    assert json.loads(done.stdout)["power"] == pytest.approx(0.025, abs=1e-12)
    told = command("formula", "two_sample_t", "--difference", "0", "--sd", "-6", "--power", ".9", code=2).stderr
    assert "--sd: must be a number above 0" in told


def test_names_that_are_none():
    with pytest.raises(AttributeError, match="no attribute 'z_test'"):
        _ = ts.formula.z_test
    assert set(dir(ts.formula)) == set(MODULES)


def test_the_page_shows_what_is_printed(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    page = (ROOT / "docs" / "concepts" / "closed_forms.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    shown = block.split("$ trialsim ")[1:]
    assert len(shown) == 2
    for text in shown:
        words, _, output = text.partition("\n")
        assert command(*words.split(" ")).stdout.rstrip() == output.rstrip()
