"""Looking things up: exact names, prefixes, mistakes, and that nothing heavy or needless is read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trialsim import evidence
from trialsim.errors import TrialsimError
from trialsim.evidence import store


def test_get_returns_the_quantity_with_its_source():
    quantity = evidence.get("danayan2023.bpd.qids_sr16.change")
    assert (quantity.value, quantity.unit, quantity.n, quantity.tag) == (-5.95, "points", 50, "measured")
    assert quantity.spread is None
    assert evidence.citation(quantity.citation).doi == "10.1016/j.psychres.2023.115133"


def test_get_names_the_nearest_where_the_name_is_unknown():
    with pytest.raises(KeyError) as caught:
        evidence.get("defaults.spread.madrs.postsd")
    assert isinstance(caught.value, evidence.UnknownEvidenceError)
    assert isinstance(caught.value, TrialsimError)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("no evidence is called 'defaults.spread.madrs.postsd'; nearest: ")
    assert caught.value.nearest[0] == "defaults.spread.madrs.post_sd"


def test_unknown_name_far_from_all_has_no_hint():
    with pytest.raises(evidence.UnknownEvidenceError) as caught:
        evidence.get("zzzz")
    assert str(caught.value) == "no evidence is called 'zzzz'"


@pytest.mark.parametrize(
    "name", ["", ".", "defaults", "defaults.", "danayan2023", "defaults.spread", "../types", "a.b"]
)
def test_what_is_not_a_quantity_is_not_had(name):
    assert not evidence.has(name)
    with pytest.raises(evidence.UnknownEvidenceError):
        evidence.get(name)


def test_find_takes_whole_parts_of_names_only():
    below = evidence.find("defaults.spread.qids_sr16")
    assert [quantity.name.rpartition(".")[2] for quantity in below] == ["post_sd", "residual_sd"]
    assert evidence.find("defaults.spread.qids") == ()
    assert evidence.find("nothing") == ()


def test_find_at_above_and_below_a_data_file():
    assert evidence.find("defaults.timing.infusion_1") == (evidence.get("defaults.timing.infusion_1"),)
    assert {quantity.name.split(".")[0] for quantity in evidence.find("defaults")} == {"defaults"}
    assert len(evidence.find()) == len(evidence.names()) == len(set(evidence.names()))


def test_a_group_of_one_number_is_both_group_and_quantity():
    assert evidence.get("defaults.site_icc").value == 0.02
    assert evidence.find("defaults.site_icc") == (evidence.get("defaults.site_icc"),)


def test_every_name_is_had_and_is_found_again():
    assert all(evidence.get(name).name == name for name in evidence.names())


@pytest.mark.parametrize("look_up", [evidence.instrument, evidence.study, evidence.section, evidence.citation])
def test_unknown_keys_of_other_kinds_are_told_too(look_up):
    with pytest.raises(evidence.UnknownEvidenceError, match="is called 'qids_sr61'"):
        look_up("qids_sr61")


def test_one_look_up_reads_one_file(monkeypatch):
    read = []
    store._data_file.cache_clear()
    parse = store.tomllib.loads
    monkeypatch.setattr(store.tomllib, "loads", lambda text: read.append(text) or parse(text))
    evidence.get("defaults.spread.madrs.post_sd")
    evidence.get("defaults.spread.madrs.residual_sd")
    assert len(read) == 1


def test_importing_evidence_imports_no_numerics():
    code = (
        "import sys, trialsim.evidence; "
        "heavy = {'numpy', 'scipy', 'pandas', 'pydantic', 'yaml', 'matplotlib'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
