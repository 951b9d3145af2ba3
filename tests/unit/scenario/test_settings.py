"""Settings are put at their paths as YAML values."""

from __future__ import annotations

import re

import numpy as np
import pytest

from trialsim import scenario
from trialsim.errors import InputError
from trialsim.scenario.at_value import with_simulation


def test_settings_replace_add_and_reach_into_lists(write):
    settings = {
        "simulation.replicates": "1000",
        "allocation.ratio": "[1, 2]",
        "allocation.block_sizes": [6],
        "schedule.visits.3": 15,
        "estimands.primary.visit": 15,
        "dropout.missing_by.15": "0.1",
        "title": "on",
    }
    content = scenario.load(write(), settings=settings).content
    assert content.simulation.replicates == 1000
    assert content.allocation.ratio == (1, 2)
    assert content.schedule.visits == (3, 7, 10, 15)
    assert content.dropout is not None
    assert content.dropout.missing_by == {"14": 0.07, "15": 0.1}
    assert content.title == "on"


def test_a_setting_inside_a_list_of_names_keeps_the_names(write):
    path = write(("outcomes:\n  qids_sr16: {}\n  madrs: {}\n", "outcomes: [qids_sr16, madrs]\n"))
    content = scenario.load(path, settings={"outcomes.madrs.post_sd": 9}).content
    assert list(content.outcomes) == ["qids_sr16", "madrs"]
    assert content.outcomes["madrs"].post_sd == 9


def test_a_part_can_be_taken_out(write):
    assert scenario.load(write(), settings={"dropout": "null"}).content.dropout is None


def test_vary_can_be_set(write):
    path = "vary.effects.ketamine.points.madrs"
    loaded = scenario.load(write(), settings={path: "[-5, 0]"})
    assert loaded.varied == ("effects.ketamine.points.madrs",)
    assert len(loaded.points) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e2", 100.0), ("012", 12), ("0x10", 16), ("+5", 5), (".5", 0.5), ("yes", "yes"), ("no", "no"),
     ("2024-01-01", "2024-01-01"),
     ("true", True), ("~", None), ("'5'", "5"), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}), ("1_000", "1_000")],
)  # fmt: skip
def test_values_follow_yaml_1_2(text, value):
    from trialsim.scenario.document import parse_value

    found = parse_value(text, "--set x").root.plain()
    assert found == value
    assert type(found) is type(value)


def test_python_values_and_numpy_numbers_are_taken(write):
    settings = {"sample_size": np.array([90, 100]), "effects.ketamine.points.madrs": np.float64(-3)}
    content = scenario.load(write(), settings=settings).content
    assert content.sample_size == (90, 100)
    assert content.effects["ketamine"].points == {"qids_sr16": -2.0, "madrs": -3.0}


def test_endless_paths_and_values_are_refused(faults):
    endless: list[object] = []
    endless.append(endless)
    told = faults(settings={".".join("a" * 5000): 1, "sample_size": endless, "simulation.seed": float("nan")})
    assert len(told) == 3
    assert any("at most 30 parts" in line for line in told)
    assert any("nested more than 30 levels" in line for line in told)
    assert any("simulation.seed: a whole number is needed, not nan" in line for line in told)


def test_a_day_named_twice_is_told(faults):
    (told,) = faults(("{14: 0.07}", "{14: 0.07, 14.0: 0.08}"))
    assert told.endswith("dropout.missing_by.14.0: day 14 is given twice")


def test_an_option_is_told_as_it_was_written(write):
    given = {"simulation.precision": scenario.Option(7.0, "--precision 7")}
    with pytest.raises(InputError, match=r"^--precision 7: simulation\.precision: must be at most 0\.2, not 7"):
        scenario.load(write(), settings=given)
    loaded = scenario.load(write(), settings={"simulation.seed": scenario.Option(5, "--seed 5")})
    assert loaded.content.simulation.seed == 5
    assert loaded.settings == {"simulation.seed": 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("precision: 0.005", "precision: unknown key; precision belongs under simulation"),
        ("missing_by: {14: 0.1}", "missing_by belongs under dropout"),
        ("specific_share: 0.3", "unknown key; specific_share belongs under effects.NAME"),
        ("ratio: [1, 1]", "ratio belongs under allocation"),
        ("analysys: {}", "analysys: unknown key; did you mean 'analysis'"),
    ],
)
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(write, text, told):
    path = write()
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(told)):
        scenario.load(path)


def test_replicates_and_seed_of_a_loaded_scenario(write):
    varied = scenario.load(write(), settings={"vary": {"dropout.missing_by.14": [0.07, 0.2]}})
    changed = with_simulation(varied, {"replicates": 300, "seed": 5})
    again = scenario.load(write(), settings={**varied.settings, "simulation.replicates": 300, "simulation.seed": 5})
    assert scenario.resolve(changed).hash == scenario.resolve(again).hash
    assert scenario.resolve(changed).replicates == 300
    assert len(changed.points) == 2
    with pytest.raises(InputError, match=r"^seed=-1: simulation\.seed: must be at least 0"):
        with_simulation(varied, {"seed": -1})
