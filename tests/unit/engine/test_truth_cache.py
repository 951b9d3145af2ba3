"""True values that are remembered by content: when they are found again, and when they must not be."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import trialsim
from trials import BOUNDED, resolve, write
from trialsim.engine import truth, truth_cache
from trialsim.engine.execute import execute
from trialsim.engine.opening import open_folder
from trialsim.engine.reproduce import reproduce
from trialsim.engine.truth import true_values
from trialsim.engine.truth_cache import VARIABLE, content_key
from trialsim.scenario import load
from trialsim.scenario import resolve as resolve_file

SCENARIOS = sorted((Path(__file__).parents[3] / "scenarios").glob("*.yaml"))

RESPONSE = {"estimands.primary.endpoint": "response", "analysis": {}, "vary": {}, "dropout.missing_by": {14: 0.2}}
"""A question whose true value is found from potential outcomes."""


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A cache folder of this test's own; returns the folder of its files."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(truth, "PATIENTS_PER_TRIAL", 20)
    return tmp_path / "cache" / "truths"


@pytest.fixture
def forgetful(monkeypatch):
    """Forget what this process found, as the next process would have."""

    def forget():
        monkeypatch.setattr(truth_cache, "_found", {})

    return forget


def variant_of(changes=None, document=BOUNDED):
    return resolve(document, {**RESPONSE, **(changes or {})}).variants[0]


def keys_of(variant):
    """Return the content key of each true value of a variant."""
    content = truth._content(variant)
    return [content_key(truth._alone(content, hypothesis)) for hypothesis in truth.hypotheses(variant)]


def files(folder):
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def poison(path, value):
    """Write another value into a file, with the right checksum."""
    number = float(value).hex()
    se = json.loads(path.read_text())["se"]
    digest = hashlib.sha256(json.dumps([path.stem, number, se]).encode()).hexdigest()
    path.write_text(json.dumps({"value": number, "se": se, "sha256": digest}))


# What is remembered ------------------------------------------------------------------------------------------


def test_the_same_bits_with_and_without_and_from_the_disk(cached, forgetful, monkeypatch):
    variant = variant_of()
    first = true_values(variant)
    assert len(files(cached)) == 1
    in_process = true_values(variant)
    forgetful()
    from_disk = true_values(variant)
    monkeypatch.setenv(VARIABLE, "off")
    assert first == in_process == from_disk == true_values(variant)
    assert next(iter(first.values())).se > 0.0


def test_a_value_on_the_disk_is_read_and_one_with_a_wrong_checksum_is_not(cached, forgetful):
    variant = variant_of()
    ((hypothesis, found),) = true_values(variant).items()
    (path,) = files(cached)
    poison(path, 0.125)
    assert true_values(variant)[hypothesis] == found  # of this process
    forgetful()
    assert true_values(variant)[hypothesis] == (0.125, found.se)
    path.write_text(path.read_text().replace((0.125).hex(), (0.25).hex()))
    forgetful()
    assert true_values(variant)[hypothesis] == found
    assert float.fromhex(json.loads(path.read_text())["value"]) == found.value  # written anew


def test_asked_to_compute_again_nothing_is_read(cached, forgetful):
    variant = variant_of()
    first = true_values(variant)
    poison(*files(cached), 0.125)
    forgetful()
    assert true_values(variant, again=True) == first


@pytest.mark.parametrize("harm", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"value": 1}', b"[" * 100_000, "a folder"])
def test_a_damaged_file_means_computing_again(harm, cached, forgetful):
    variant = variant_of()
    first = true_values(variant)
    (path,) = files(cached)
    if harm == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(harm)
    forgetful()
    assert true_values(variant) == first


def test_a_file_under_the_name_of_another_is_not_read(cached, forgetful):
    one, other = variant_of(), variant_of({"effects.ketamine.specific_share": 0.9})
    first = true_values(other)
    (of_other,) = files(cached)
    true_values(one)
    (of_one,) = (path for path in files(cached) if path != of_other)
    shutil.copy(of_one, of_other)
    forgetful()
    assert true_values(other) == first


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions of a user who is not root")
def test_a_folder_that_cannot_be_written_to(cached, forgetful):
    cached.parent.mkdir()
    cached.parent.chmod(0o500)
    try:
        first = true_values(variant_of())
        forgetful()
        assert true_values(variant_of()) == first
        assert not files(cached)
    finally:
        cached.parent.chmod(0o700)


def test_a_file_in_the_place_of_the_folder(cached, forgetful):
    cached.parent.write_text("")
    first = true_values(variant_of())
    forgetful()
    assert true_values(variant_of()) == first


def test_what_a_failing_disk_costs_is_the_file_only(cached, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(truth_cache, "write_json", full)
    assert true_values(variant_of())
    assert not files(cached)


def test_off_keeps_nothing(cached, monkeypatch):
    monkeypatch.setenv(VARIABLE, "Off")
    assert true_values(variant_of()) == true_values(variant_of())
    assert not cached.exists()
    assert not truth_cache.cache_folder()


def test_without_the_variable_the_place_is_the_users_own(monkeypatch):
    import platformdirs

    monkeypatch.delenv(VARIABLE)
    assert truth_cache.cache_folder() == Path(platformdirs.user_cache_dir("trialsim", appauthor=False)) / "truths"


# By what it is found again -----------------------------------------------------------------------------------

SAME = {
    "sample size": {"sample_size": [40, 48]},
    "seed": {"simulation.seed": 7},
    "replicates": {"simulation.replicates": 750},
    "title": {"title": "Another", "description": "of the same"},
    "labels": {"arms.ketamine.label": "Drug", "population.strata.bpd.label": "With"},
    "block sizes": {"allocation": {"block_sizes": [8]}},
    "randomisation": {"allocation": {"method": "complete"}},
    "level": {"analysis": {"primary": {"method": "risk_difference", "alpha": 0.01}}},
    "a margin": {"estimands.primary.non_inferiority_margin": 0.1},
}
"""Changes that leave the true value as it is."""

OTHER = {
    "effect": {"effects.ketamine.specific_share": 0.340000001},
    "spread": {"outcomes.qids_sr16": {"post_sd": 4.5}},
    "shares of strata": {"population.strata.bpd.share": 0.51, "population.strata.no_bpd.share": 0.49},
    "strata by quota": {"population.strata_by": "quota"},
    "who enters": {"population.eligibility": {"outcome": "qids_sr16", "at_least": 14}},
    "leaving": {"dropout.missing_by": {14: 0.21}},
    "model of leaving": {"dropout.model": "mnar"},
    "shares of arms, among whom leaving is calibrated": {"allocation": {"ratio": [1, 2]}},
    "infusions": {"schedule.infusions": [0, 3, 7]},
    "strategy": {"estimands.primary.intercurrent_events": {"dropout": "composite"}},
    "visit": {"estimands.primary.visit": 7, "schedule.infusions": [0, 3]},
    "outcome": {"estimands.primary.outcome": "madrs"},
    "endpoint": {"estimands.primary.endpoint": "remission"},
    "direction": {"estimands.primary.contrast": ["midazolam", "ketamine"]},
    "measure": {"analysis": {"primary": {"method": "logistic"}}},
    "covariates": {"analysis": {"primary": {"method": "logistic", "covariates": ["baseline"]}}},
    "an event": {"events": {"rescue": {"per_day": {"midazolam": 0.02, "ketamine": 0.01}, "effect": {"qids_sr16": -2}}}},
}
"""Changes of which each may give another true value."""


@pytest.mark.parametrize("change", SAME)
def test_what_no_true_value_depends_on_finds_it_again(change):
    assert keys_of(variant_of(SAME[change])) == keys_of(variant_of())


@pytest.mark.filterwarnings("ignore:.*in the place of the active arm:trialsim.errors.ScenarioWarning")
@pytest.mark.parametrize("change", OTHER)
def test_what_a_true_value_depends_on_does_not(change):
    assert keys_of(variant_of(OTHER[change])) != keys_of(variant_of())


@pytest.mark.filterwarnings("ignore:.*in the place of the active arm:trialsim.errors.ScenarioWarning")
def test_variants_of_different_truths_never_share_a_key(cached):
    variants = [variant_of(changes) for changes in ({}, *SAME.values(), *OTHER.values())]
    by_key = {}
    for variant in variants:
        ((key,), (found,)) = keys_of(variant), true_values(variant, again=True).values()
        assert by_key.setdefault(key, found) == found
    assert len(set(by_key.values())) > len(OTHER) / 2


def leaves_changed(value):
    """Yield a copy of content for each field and item in it, with that one changed by as little as it can be."""
    if is_dataclass(value):
        for field in fields(value):
            if not field.name.endswith(("label", "labels")):
                for part in leaves_changed(getattr(value, field.name)):
                    yield replace(value, **{field.name: part})
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            for part in leaves_changed(item):
                yield (*value[:i], part, *value[i + 1 :])
        yield (*value, 0)
    elif isinstance(value, np.ndarray):
        for place in {0, value.size // 2, value.size - 1} if value.size else ():
            array = value.copy()
            array.flat[place] = np.nextafter(array.flat[place], np.inf)
            yield array
        yield value[..., None]
    elif isinstance(value, float):
        yield float(np.nextafter(value, np.inf)) if np.isfinite(value) else 0.0
    elif isinstance(value, bool | None):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield float(value)
    elif isinstance(value, str):
        yield value + "x"
    else:
        assert value == {}, f"{value!r} is changed nowhere"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_smallest_change_of_anything_in_the_content_gives_another_key(path):
    variant = resolve_file(load(path)).variants[0]
    content = truth._alone(truth._content(variant), truth.hypotheses(variant)[0])
    keys = [content_key(one) for one in leaves_changed(content)]
    assert len(keys) > 100
    assert len({*keys, content_key(content)}) == len(keys) + 1


def test_content_is_told_apart_by_kind_and_by_place():
    contents = [
        1,
        1.0,
        True,
        "1",
        None,
        0.0,
        -0.0,
        float("nan"),
        (),
        (1,),
        ((1,),),
        (1, 1),
        ("row", 1),
        {},
        {"a": 1},
        {1: 1},
    ]
    arrays = [np.array([1.0, 2.0]), np.array([1, 2]), np.array([[1.0, 2.0]]), np.array([2.0, 1.0])]
    assert len({content_key(content) for content in (*contents, *arrays)}) == len(contents) + len(arrays)
    assert content_key(np.array([[1.0, 2.0], [3.0, 4.0]]).T) == content_key(np.array([[1.0, 3.0], [2.0, 4.0]]))


@pytest.mark.parametrize(
    "content", [object(), {1, 2}, np.array([None]), (1, object())], ids=["object", "set", "objects", "inside"]
)
def test_content_that_cannot_be_told_apart_is_refused(content):
    with pytest.raises(TypeError, match="no place in the content"):
        content_key(content)


def test_other_questions_of_a_scenario_change_no_bit(monkeypatch):
    monkeypatch.setattr(truth, "PATIENTS_PER_TRIAL", 60)
    variant = resolve_file(load(Path(SCENARIOS[0]).with_name("durability.yaml"))).variants[0]
    together = true_values(variant)
    for hypothesis, found in together.items():
        estimand = variant.estimands[hypothesis.estimand]
        alone = replace(estimand, analyses=(estimand.analyses[hypothesis.analysis],))
        assert list(true_values(replace(variant, estimands=(alone,), multiplicity=None)).values()) == [found]
    assert len({found.value for found in together.values() if found.se > 0}) >= 5


# Runs --------------------------------------------------------------------------------------------------------


def run(folder, changes=None, **how):
    return execute(resolve(BOUNDED, {**RESPONSE, **(changes or {})}), folder, replicates=250, **how)


def truths_in(folder):
    return json.loads((folder / "parts" / "variant0000_truths.json").read_text())["true_values"]


def digests(folder):
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("run.json", "run.lock")]
    return {path.relative_to(folder): path.read_bytes() for path in kept}


def test_runs_in_other_folders_and_of_other_sizes_share_what_was_found(cached, forgetful, tmp_path, monkeypatch):
    run(tmp_path / "one")
    assert len(files(cached)) == 1
    forgetful()
    poison(*files(cached), 0.125)
    run(tmp_path / "again")
    run(tmp_path / "larger", {"sample_size": [48], "simulation.seed": 8})
    assert truths_in(tmp_path / "again")[0][0] == truths_in(tmp_path / "larger")[0][0] == 0.125
    assert len(files(cached)) == 1
    run(tmp_path / "other", OTHER["effect"])
    assert truths_in(tmp_path / "other")[0][0] != 0.125
    assert len(files(cached)) == 2


def test_a_run_has_the_same_bytes_with_and_without(cached, forgetful, tmp_path, monkeypatch):
    run(tmp_path / "first")
    forgetful()
    run(tmp_path / "found")
    monkeypatch.setenv(VARIABLE, "off")
    run(tmp_path / "without")
    assert digests(tmp_path / "first") == digests(tmp_path / "found") == digests(tmp_path / "without")


def test_variants_of_one_truth_share_it(cached, tmp_path):
    run(tmp_path / "run", {"vary": {"allocation.block_sizes": [[4], [8]]}})
    assert len(files(cached)) == 1


def test_reproduce_and_verify_trust_nothing_that_was_found_before(cached, forgetful, tmp_path):
    run(tmp_path / "sound")
    (found,) = reproduce(open_folder(tmp_path / "sound")).true_values
    assert found.to_the_bit
    assert found.same
    forgetful()
    poison(*files(cached), 0.125)
    run(tmp_path / "poisoned")
    again = reproduce(open_folder(tmp_path / "poisoned"))
    assert [block.same for block in again.blocks] == [True]
    assert [one.same for one in again.true_values] == [False]
    assert not again.same
    run(tmp_path / "verified", verify=True)
    assert truths_in(tmp_path / "verified") == truths_in(tmp_path / "sound")


# Processes and source files ----------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from trialsim.engine import truth
from trialsim.scenario import load, resolve

truth.PATIENTS_PER_TRIAL = 20
variant = resolve(load(Path(sys.argv[1]))).variants[0]
if len(sys.argv) > 2:
    with open(sys.argv[2], "a", encoding="utf-8") as source:
        source.write("# edited while it runs" + chr(10))
((value, se),) = truth.true_values(variant).values()
print(value.hex(), se.hex())
"""


@pytest.fixture
def started(cached, tmp_path):
    """Return what starts a process that finds one true value, with a copy of the package in `tmp_path`."""
    package = Path(trialsim.__file__).parent
    shutil.copytree(package, tmp_path / "copy" / "trialsim")
    scenario = write(tmp_path, BOUNDED, RESPONSE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "copy")}

    def start(*arguments):
        command = [sys.executable, "-c", PROGRAM, str(scenario), *map(str, arguments)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    return start


def told(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return output


def test_two_processes_at_once(started, cached):
    processes = [started(), started()]
    assert told(processes[0]) == told(processes[1])
    assert len(list(cached.iterdir())) == 1


def test_edited_source_files_find_nothing_and_keep_nothing_while_they_run(started, cached, tmp_path):
    before = told(started())
    (kept,) = files(cached)
    poison(kept, 0.125)
    source = tmp_path / "copy" / "trialsim" / "kernels" / "tails.py"
    assert told(started()).startswith((0.125).hex())
    assert told(started(source)) == before
    assert files(cached) == [kept]
    assert told(started()) == before  # edited before it began
    assert len(files(cached)) == 2
