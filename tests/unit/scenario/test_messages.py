"""How faults are told: names of evidence with all others, values of `vary` by their entry, words that fit the count."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from trialsim import scenario
from trialsim.errors import InputError
from trialsim.scenario.words import plural

STUDY = ("{points: {qids_sr16: -2.0, madrs: -5.0}}", "{open_label_change: danayan2032}")
SHAPE = ("replicates: 10", "replicates: ten")
REFERENCE = ("effects:\n  ketamine", "effects:\n  ketamin")


@pytest.mark.parametrize("other", [SHAPE, ("outcome: qids_sr16, visit", "outcome: qids_sr16, vist"), REFERENCE])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("defaults.trd_bpd}", "defaults.trd_bdp}"), "there is no evidence set 'defaults.trd_bdp'; did you mean"),
        (STUDY, "the catalogue has no study 'danayan2032'; did you mean 'danayan2023'?"),
        (("madrs: {}", "madrs: {instrument: mdrs}"), "no instrument 'mdrs'; did you mean 'madrs'?"),
        (("madrs: {}", "mdrs: {}"), "the bounds of 'mdrs' are not known: did you mean 'madrs'? Otherwise give scale"),
        (
            ("{points: {qids_sr16: -2.0, madrs: -5.0}}",
             "{open_label_change: {qids_sr16: {bpd: danayan2023.bpd.qids_sr61.change, no_bpd: 0}, madrs: 0}}"),
            "is not in the catalogue; did you mean 'danayan2023.bpd.qids_sr16.change'?",
        ),
        (("    bpd: {share: 0.5, baseline: defaults.trd_bpd}", "    bdp: {share: 0.5}"), "set 'defaults.trd_bdp'; did"),
    ],
)  # fmt: skip
def test_a_slip_in_a_name_of_evidence_is_told_with_other_faults(faults, change, expected, other):
    told = faults(change, other)
    assert any(expected in line for line in told), told
    assert len(told) >= 2, told


def test_sound_names_of_evidence_are_not_told(faults):
    (told,) = faults(SHAPE)
    assert "simulation.replicates" in told


def test_a_fault_in_a_varied_value_names_its_entry(faults):
    (told,) = faults(("simulation:", "vary:\n  dropout.never_starts:\n    - 0\n    - 0.5\nsimulation:"))
    assert told.startswith("26:7: vary.dropout.never_starts[1]: must be at most the share missing by day 14")


def test_a_fault_inside_a_varied_value_names_its_entry_and_the_key(faults):
    change = "vary:\n  analysis.primary:\n    - {method: mmrm}\n    - {method: mmrm, covariance: csc}\nsimulation:"
    (told,) = faults(("simulation:", change))
    assert told.startswith("26:34: vary.analysis.primary[1].covariance: must be 'unstructured'")


def test_a_key_that_a_varied_value_lacks_is_placed_at_the_value(faults):
    change = "vary:\n  estimands.primary:\n    - {outcome: madrs, contrast: [ketamine, midazolam]}\nsimulation:"
    (told,) = faults(("simulation:", change))
    assert told.startswith("25:7: vary.estimands.primary[0].visit: is missing")


def test_a_fault_elsewhere_keeps_its_path_and_names_the_combination(faults):
    (told,) = faults(("simulation:", "vary:\n  allocation.ratio: [[1, 1], [1, 4]]\nsimulation:"), ("[4, 6]", "[4]"))
    assert told.startswith("24:30: allocation.block_sizes.0: ")
    assert told.endswith("(with allocation.ratio = [1, 4])")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("[80, 120]", "[]"), "sample_size: at least one entry is needed, not 0"),
        (("[ketamine, midazolam]", "[ketamine]"), "contrast: at least two entries are needed, not 1"),
        (("[ketamine, midazolam]", "[ketamine, midazolam, a]"), "contrast: at most two entries are allowed, not 3"),
        (("title: A test", "title: ''"), "title: at least one character is needed, not 0"),
    ],
)  # fmt: skip
def test_counts_go_with_their_words(faults, change, expected):
    told = faults(change)
    assert any(expected in line for line in told), told


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("us", "unstructured"), ("cs", "compound_symmetry"), ("csh", "heterogeneous_compound_symmetry"),
        ("ar1h", "heterogeneous_ar1"), ("toep", "toeplitz"), ("toeph", "heterogeneous_toeplitz"),
        ("ad", "ante_dependence"), ("ADH", "heterogeneous_ante_dependence"),
    ],
)  # fmt: skip
def test_short_names_of_covariances_are_understood_as_slips(faults, short, full):
    (told,) = faults(("{method: mmrm}", f"{{method: mmrm, covariance: {short}}}"))
    assert told.endswith(f"not '{short}'; did you mean '{full}'?")


@pytest.mark.parametrize(("short", "full"), [("cs", "compound_symmetry"), ("ar1h", "ar1"), ("toep", "toeplitz")])
def test_short_names_of_a_truths_structure_are_understood_as_slips(faults, short, full):
    (told,) = faults(("simulation:", f"covariance: {{visits: {{structure: {short}}}}}\nsimulation:"))
    assert told.endswith(f"not '{short}'; did you mean '{full}'?")


def test_nouns_for_a_count():
    assert [plural("outcome", n) for n in (1, 2)] == ["outcome", "outcomes"]
    assert [plural("stratum", n) for n in (1, 2)] == ["stratum", "strata"]
    assert plural("control arm", 2) == "control arms"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    pipe = tmp_path / "s.yaml"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(_told(pipe)), daemon=True)
    reader.start()
    reader.join(timeout=20)
    assert found == [f"{pipe}: is a named pipe, not a file; save the scenario as a file and name that"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_refused():
    assert _told(Path("/dev/zero")) == "/dev/zero: is a device, not a file; save the scenario as a file and name that"


def test_a_link_to_a_file_is_followed(write, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to(write())
    assert scenario.load(link).title == "A test"


def _told(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        scenario.load(path)
    return str(caught.value)
