"""Ranges: of the catalogue for every shipped scenario, by hand in a scenario, and what is set together."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialsim import evidence
from trialsim.errors import InputError
from trialsim.scenario import load, resolve
from trialsim.scenario.at_value import at_values
from trialsim.scenario.plausible import assumptions
from trialsim.scenario.ranges import parse_range

SCENARIOS = sorted((Path(__file__).parents[3] / "scenarios").glob("*.yaml"))
QUICK = next(path for path in SCENARIOS if path.stem == "quick_start")


def primary(resolved):
    variant = resolved.variants[0]
    return [variant.outcomes[variant.estimands[0].outcome]] if variant.estimands[0].endpoint.kind != "count" else []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_shipped_scenarios_have_ranges_that_can_be_set(path):
    resolved = resolve(load(path).at_base())
    found = assumptions(resolved, outcomes=primary(resolved))
    assert len(found) > 3
    for one in found:
        if one.source == "evidence":
            assert evidence.get(one.quantity).spread_kind == "range"
            assert evidence.citation(one.citation).text
        # An end may be out of reach, which is told where it is tried; the middle is nothing out of the way.
        at_values(resolved.scenario, one.settings(0.5))


@pytest.mark.parametrize("name", ["quick_start", "followup_rct", "therapy_groups"])
def test_their_ends_can_be_had(name):
    resolved = resolve(load(QUICK.with_stem(name)).at_base())
    for one in assumptions(resolved, outcomes=primary(resolved)):
        for share in (0.0, 1.0):
            assert resolve(at_values(resolved.scenario, one.settings(share))).hash, one.path


def test_values_move_together_where_they_must():
    resolved = resolve(load(QUICK))
    by_path = {one.path: one for one in assumptions(resolved, {"population.strata.bpd.share": (0.2, 0.8)})}
    share = by_path["population.strata.bpd.share"]
    assert share.settings(0.0) == {"population.strata.bpd.share": 0.2, "population.strata.no_bpd.share": 0.8}
    assert share.settings(0.5) == {"population.strata.bpd.share": 0.5, "population.strata.no_bpd.share": 0.5}
    modifier = by_path["effects.ketamine.points.qids_sr16.bpd"]
    assert modifier.settings(1.0) == {"effects.ketamine.points.qids_sr16": {"bpd": -2.0, "no_bpd": -3}}
    control = by_path["course.control_change.qids_sr16"]
    assert control.settings(0.0)["course.control_change.qids_sr16"] == {"bpd": -5.95, "no_bpd": -5.95}


def test_a_range_in_the_scenario_stands_instead_of_the_catalogues(tmp_path):
    text = QUICK.read_text(encoding="utf-8") + "sensitivity:\n  outcomes.qids_sr16.post_sd: [5.5, 6]\n"
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    resolved = resolve(load(path))
    own = [one for one in assumptions(resolved) if one.path == "outcomes.qids_sr16.post_sd"]
    assert [(one.low, one.high, one.source) for one in own] == [(5.5, 6, "given")]
    assert resolved.hash == resolve(load(QUICK)).hash, "a range is no part of what is simulated"
    (by_option,) = (
        one for one in assumptions(resolved, {"outcomes.qids_sr16.post_sd": (5, 7)}) if one.source == "given"
    )
    assert by_option.high == 7


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("outcomes.qids_sr16.post_sd: [6, 5]", "above high"),
        ("outcomes.qids_sr16.post_sd: [6]", "at least two entries"),
        ("outcomes.qids_sr16.post_sd: 6", "a list is needed"),
        ("arms.ketamine.infusion: [1, 2]", "no number in the scenario"),
        ("outcomes..post_sd: [1, 2]", "keys joined by dots"),
    ],
)
def test_faults_of_ranges_are_told_at_their_place(tmp_path, line, told):
    path = tmp_path / "own.yaml"
    before = QUICK.read_text(encoding="utf-8")
    path.write_text(f"{before}sensitivity:\n  {line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        load(path)
    assert caught.value.faults[0].line == before.count("\n") + 2


def test_whole_numbers_and_lists_stay_what_they_are():
    resolved = resolve(load(QUICK))
    ranges = {"allocation.ratio": ([1, 1], [3, 1]), "sample_size": (40, 81)}
    ratio, size = assumptions(resolved, ranges)[:2]
    assert ratio.settings(0.5) == {"allocation.ratio": [2, 1]}
    assert size.settings(0.5) == {"sample_size": 60}


def test_ranges_are_written_as_path_low_high():
    assert parse_range("a.b=0.2, 0.4") == ("a.b", (0.2, 0.4))
    assert parse_range("allocation.ratio=[1,1],[2,1]") == ("allocation.ratio", ([1, 1], [2, 1]))
    for text in ("a.b", "=1,2", "a=1", "a=1,2,3", "a=[1,2"):
        with pytest.raises(InputError):
            parse_range(text)
