"""`trialsim evidence`: the list, one name, and a name that nothing has."""

from __future__ import annotations

import json

from trialsim import evidence


def test_the_list_has_every_study_and_group_of_defaults(trialsim):
    text = trialsim("evidence").stdout
    for name, _, _ in evidence.overview():
        assert any(line.startswith(name) for line in text.splitlines()), name
    assert "evidence NAME" in text


def test_one_study(trialsim):
    text = trialsim("evidence", "danayan2023").stdout
    assert "-5.95 points; n 50" in text
    assert "\ndanayan2023.bpd.qids_sr16.change\n" in text
    assert "https://doi.org/10.1016/j.psychres.2023.115133" in text


def test_names_and_links_are_never_cut(command):
    text = command("evidence", "defaults.open_label").stdout
    for quantity in evidence.find("defaults.open_label"):
        assert f"\n{quantity.name}\n" in text


def test_every_name_of_the_list_can_be_shown(command):
    for name in ("qids_sr16", "carmody2006", "defaults.timing", "danayan2023.bpd.bsl23.change", "instruments.gad7"):
        assert command("evidence", name).stdout.strip()


def test_an_unknown_name_has_its_nearest(command):
    done = command("evidence", "danayn2023", code=2)
    assert "'danayn2023'; nearest: danayan2023" in done.stderr
    assert "lists everything" in done.stderr
    assert done.stdout == ""
    command("evidence", "", code=2)
    command("evidence", "danayn2023", "--json", code=2)


def test_json(command):
    everything = json.loads(command("evidence", "--json").stdout)
    assert len(everything) == len(evidence.find())
    (one,) = json.loads(command("evidence", "danayan2023.bpd.qids_sr16.change", "--json").stdout)
    assert (one["value"], one["unit"], one["tag"]) == (-5.95, "points", "measured")
    assert len(json.loads(command("evidence", "qids_sr16", "--json").stdout)) == 5
