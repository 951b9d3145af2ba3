"""Hash, JSON form and JSON Schema; the scenarios that come with the package; what importing costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trialsim import scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"


def test_hash_leaves_words_and_replicates_out(resolved):
    reference = resolved().hash
    words = {
        "title": "Other", "description": "x", "arms.ketamine.label": "K", "simulation.replicates": 11,
        "outcomes.madrs.label": "M", "estimands.primary.label": "P", "population.strata.bpd.label": "B",
    }  # fmt: skip
    assert resolved(settings=words).hash == reference
    assert len(reference) == 64


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("simulation.seed", 8), ("effects.ketamine.points.madrs", -4.9), ("sample_size", "[80]"), ("dropout", "null"),
        ("outcomes.madrs.post_sd", 10.9), ("analysis.primary.alpha", 0.01), ("population.strata_by", "quota"),
        ("allocation.block_sizes", "[4]"), ("covariance.visits.anchors", "{3.5: 0.8, 14: 0.61}"),
    ],
)  # fmt: skip
def test_hash_depends_on_what_results_depend_on(resolved, path, value):
    assert resolved(settings={path: value}).hash != resolved().hash


def test_a_default_written_out_has_the_same_hash(resolved):
    assert resolved(("[4, 6]", "[4, 6], stratify_by: [stratum]")).hash == resolved().hash


def test_resolved_scenario_is_json(resolved):
    found = resolved()
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["hash"] == found.hash
    assert content["variants"][0]["mean"] == found.variants[0].mean.tolist()
    assert content["scenario"]["title"] == "A test"
    assert {row["source"] for row in content["provenance"]} == {"given", "default", "evidence"}


def test_committed_schema_is_that_of_the_models():
    committed = (SCENARIOS / "schema" / "scenario.schema.json").read_text(encoding="utf-8")
    assert committed == scenario.json_schema_text(), "write it anew with `trialsim schema`"


def test_schema_describes_every_key_once_and_refuses_others():
    schema = scenario.json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) >= {"schema", "title", "population", "schedule", "arms", "estimands", "sample_size"}
    assert schema["$defs"]["Effect"]["properties"]["points"]["description"]


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_scenario_resolves(path):
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema/scenario.schema.json\n")
    assert scenario.resolve(scenario.load(path)).variants


def test_followup_trial_is_the_one_described():
    found = scenario.resolve(scenario.load(SCENARIOS / "followup_rct.yaml"))
    values = [variant.settings["effects.ketamine.specific_share"] for variant in found.variants]
    assert values == [0, 0.2, 0.34, 0.5, 0.66, 1]
    truth = [variant.estimands[0].true_value for variant in found.variants]
    assert truth == pytest.approx([-5.95 * share for share in values])
    assert found.variants[0].sample_sizes == (80, 120, 160, 200, 240, 280, 320, 360, 400)
    assert (found.replicates, found.seed) == (500, 20230419)


def test_starter_resolves_and_takes_any_title(tmp_path):
    path = tmp_path / "new.yaml"
    title = 'A "quoted": title # with signs'
    path.write_text(scenario.starter(title=title, schema_path="schema.json"), encoding="utf-8")
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    loaded = scenario.load(path)
    assert loaded.title == title
    assert scenario.resolve(loaded).variants


def test_loading_does_not_import_numpy_and_nothing_imports_pandas():
    code = (
        "import sys; from trialsim import scenario\n"
        f"s = scenario.load({str(SCENARIOS / 'followup_rct.yaml')!r})\n"
        "scenario.json_schema(); scenario.starter()\n"
        "assert 'numpy' not in sys.modules\n"
        "scenario.resolve(s)\n"
        "assert not {'pandas', 'matplotlib', 'scipy.stats'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
