"""Designs of a scenario: values at paths, checked with line and column like everything else."""

import pytest

from trialsim import scenario
from trialsim.errors import InputError
from trialsim.scenario.designs import resolve_designs

LAST = "simulation: {replicates: 10, seed: 7}\n"


def designs(*lines):
    """Return the change that adds designs, the first of them in line 25."""
    return (LAST, LAST + "designs:\n" + "".join(f"  {line}\n" for line in lines))


def test_a_design_is_the_scenario_with_other_values(write):
    loaded = scenario.load(
        write(designs("plain:", "large: {label: A fifth more, sample_size: 96}", "two: {allocation.ratio: [1, 2], "
                      "allocation.block_sizes: [6], analysis.primary.method: ancova}"))
    )  # fmt: skip
    assert [(d.name, d.label) for d in loaded.designs] == [
        ("plain", "plain"),
        ("large", "A fifth more"),
        ("two", "two"),
    ]
    plain, large, two = (resolved for _, resolved in resolve_designs(loaded))
    base = scenario.resolve(loaded)
    assert plain.hash == base.hash
    assert large.variants[0].sample_sizes == (96,)
    assert two.variants[0].allocation.ratio == (1, 2)
    assert two.variants[0].estimands[0].analyses[0].method == "ancova"
    assert two.seed == base.seed


def test_designs_are_no_part_of_the_hash_but_of_the_ledger(resolved):
    plain, listed = resolved(), resolved(designs("large: {sample_size: 96}"))
    assert plain.hash == listed.hash
    assert [row.value for row in listed.provenance if row.path == "designs.large"] == [{"sample_size": 96}]


def test_a_section_is_replaced_whole_and_null_takes_it_away(write):
    loaded = scenario.load(write(designs("complete: {dropout: null}", "t: {analysis: {primary: {method: t_test}}}")))
    complete, t = (found.variants[0] for _, found in resolve_designs(loaded))
    assert complete.dropout is None
    assert t.estimands[0].analyses[0].method == "t_test"


def test_a_value_that_a_design_sets_is_not_varied_in_it(write):
    vary = "vary: {dropout.missing_by.14: [0.07, 0.2], dropout.model: [mar, mcar]}\n"
    change = designs("plain:", "more: {dropout.missing_by: {14: 0.3}}")
    loaded = scenario.load(write((change[0], change[1] + vary)))
    plain, more = loaded.designs
    assert len(plain.scenario.points) == 4
    assert more.scenario.varied == ("dropout.model",)


def test_settings_reach_into_designs(write):
    path = write(designs("two: {allocation.ratio: [1, 2], allocation.block_sizes: [6]}"))
    loaded = scenario.load(path, settings={"designs.two.allocation.block_sizes": [3]})
    assert loaded.designs[0].scenario.content.allocation.block_sizes == (3,)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["two: {allocation.ratio: [1, 2, 3]}"],
         "25:27: designs.two.allocation.ratio: three numbers for two arms (midazolam, ketamine)"),
        (["two: {allocation.ratios: [1, 2]}"], "25:28: designs.two.allocation.ratios: unknown key; did you mean"),
        (["two: {analysis.primary: {method: ancovaa}}"], "25:36: designs.two.analysis.primary.method: must be "),
        (["two: {simulation.seed: 3}"],
         "25:9: designs.two.simulation.seed: simulation is one for all designs; give it outside of them"),
        (["two: {vary: {}}"], "25:9: designs.two.vary: vary is one for all designs"),
        (["two: {allocation..ratio: [1, 2]}"], "25:9: designs.two.allocation..ratio: a path is keys joined by dots"),
        (["two: {sample_size.x: 3}"], "25:9: designs.two.sample_size.x: "),
        (["two: {allocation: {}, allocation.ratio: [1, 2]}"],
         "25:25: designs.two.allocation.ratio: lies inside allocation, which the design changes too"),
        (["two: {label: 3}"], "25:16: designs.two.label: a text of 1 to 60 letters is needed"),
        (["two: 3"], "25:8: designs.two: a mapping is needed, not 3"),
        (["2nd: {sample_size: 96}"], "designs"),
        (["two: {arms: {saline: {infusion: saline}, ketamine: {infusion: ketamine}}}"],
         "25:15: estimands.primary.contrast.1: there is no arm 'midazolam'"),
        (["one: {sample_size: 96}", "two: {sample_size: 1}", "three: {dropout.model: maar}"],
         "27:26: designs.three.dropout.model: must be "),
    ],
)  # fmt: skip
def test_faults_stand_at_the_value_that_causes_them(faults, lines, message):
    told = faults(designs(*lines))
    assert any(message in fault for fault in told), told


def test_all_faults_of_all_designs_are_told_at_once(faults):
    assert len(faults(designs("one: {sample_size: 1}", "two: {sample_size: 2}"))) == 2


def test_faults_in_numbers_are_found_when_designs_are_resolved(write):
    loaded = scenario.load(write(designs("plain:", "much: {effects.ketamine.points.qids_sr16: -40}")))
    with pytest.raises(InputError) as caught:
        resolve_designs(loaded)
    assert "26:45: designs.much.effects.ketamine.points.qids_sr16" in str(caught.value)


def test_without_designs_nothing_is_said(write):
    assert scenario.load(write()).designs_aside == ""
    assert "(two)" in scenario.load(write(designs("two:"))).designs_aside
