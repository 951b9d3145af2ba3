"""`new`, `validate`, `explain`, `schema` and `--set`: writing scenarios, and being told what is wrong with them."""

from __future__ import annotations

import json

import pytest

FOLLOW_UP = "scenarios/followup_rct.yaml"
QUICK = "scenarios/quick_start.yaml"
OTHERS = {
    "scenarios/assurance.yaml": "5 sample sizes, 500 simulated trials each",
    "scenarios/therapy_groups.yaml": "3 variants x 4 sample sizes = 12 cells, 500 simulated trials each",
    "scenarios/self_harm.yaml": "3 variants x 3 sample sizes = 9 cells, 500 simulated trials each",
    "scenarios/quick_start_cautious.yaml": "2 sample sizes, 200 simulated trials each",
    "scenarios/relapse.yaml": "3 sample sizes, 500 simulated trials each",
    "scenarios/all_outcomes.yaml": "1 sample size, 500 simulated trials each",
    "scenarios/durability.yaml": "3 sample sizes, 500 simulated trials each",
    "scenarios/bpd_modifier.yaml": "3 variants x 4 sample sizes = 12 cells, 500 simulated trials each",
    "scenarios/ketamine_dbt_factorial.yaml": "3 sample sizes, 500 simulated trials each",
    "scenarios/compare_designs.yaml": "1 sample size, 2,000 simulated trials each; 6 designs to compare",
    "scenarios/multisite_operations.yaml": "3 sample sizes, 500 simulated trials each",
    "scenarios/unblinding.yaml": "3 variants x 3 sample sizes = 9 cells, 500 simulated trials each",
}


def test_new_writes_a_sound_scenario_and_never_over_a_file(trialsim, folder):
    done = trialsim("new")
    assert "trialsim run my_trial.yaml" in done.stdout
    assert trialsim("validate", "my_trial.yaml").stdout == (
        "my_trial.yaml: good. 4 sample sizes, 500 simulated trials each\n"
    )
    (folder / "my_trial.yaml").write_text("my own work", encoding="utf-8")
    refused = trialsim("new", "my_trial.yaml", code=4)
    assert refused.stderr == "my_trial.yaml is there already and was left as it is. Name another file.\n"
    assert (folder / "my_trial.yaml").read_text(encoding="utf-8") == "my own work"
    assert "is a folder" in trialsim("new", "scenarios", code=4).stderr
    assert "is a file" in trialsim("new", "my_trial.yaml/other.yaml", code=4).stderr
    trialsim("new", "plans/2027/trial.yaml")
    assert (folder / "plans" / "2027" / "trial.yaml").exists()


def test_what_the_starter_offers_in_comments_works_when_the_sign_is_taken_off(command, folder):
    command("new", "t.yaml")
    text = (folder / "t.yaml").read_text(encoding="utf-8")
    assert "#vary:" in text
    (folder / "t.yaml").write_text(text.replace("#vary:", "vary:").replace("#  effects.", "  effects."), "utf-8")
    assert "4 variants x 4 sample sizes = 16 cells" in command("validate", "t.yaml").stdout
    for line in ("  #ketamine: {points: {qids_sr16: -2.0}}", "  #ketamine: {standardised: {qids_sr16: -0.4}}"):
        assert line in text
        given = "  ketamine: {open_label_change: danayan2023, specific_share: 0.34}"
        changed = text.replace(given, line.replace("#", ""))
        (folder / "t.yaml").write_text(changed, encoding="utf-8")
        command("validate", "t.yaml")


def test_validate_counts_what_a_run_would_be(command):
    lines = command("validate", FOLLOW_UP, QUICK).stdout.splitlines()
    assert lines[0] == f"{FOLLOW_UP}: good. 6 variants x 9 sample sizes = 54 cells, 500 simulated trials each"
    assert lines[1] == f"{QUICK}: good. 2 sample sizes, 200 simulated trials each"


@pytest.mark.parametrize("name", OTHERS)
def test_every_shipped_scenario_is_good(command, folder, name):
    assert command("validate", name).stdout == f"{name}: good. {OTHERS[name]}\n"
    listed = {f"scenarios/{path.name}" for path in (folder / "scenarios").glob("*.yaml")}
    assert {FOLLOW_UP, QUICK, *OTHERS} == listed


def test_all_faults_at_once_each_at_its_place(command, folder):
    text = (folder / FOLLOW_UP).read_text(encoding="utf-8")
    text = text.replace("ratio: [1, 1]", "ratio: [1, 1, 1]").replace("missing_by:", "mising_by:")
    (folder / "bad.yaml").write_text(text, encoding="utf-8")
    lines = text.splitlines()
    line_of = {
        key: next(i for i, line in enumerate(lines, 1) if line.strip().startswith(key)) for key in ("ratio", "mis")
    }
    for name in ("validate", "explain", "run", "cohort"):
        done = command(name, "bad.yaml", code=2)
        ratio, key = done.stderr.splitlines()
        told = "allocation.ratio: three numbers for two arms (midazolam, ketamine)"
        assert ratio == f"bad.yaml:{line_of['ratio']}:10: {told}"
        assert key == f"bad.yaml:{line_of['mis']}:3: dropout.mising_by: unknown key; did you mean 'missing_by'?"
        assert done.stdout == ""
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.yaml", None, "there is no such file"),
        ("empty.yaml", b"", "empty"),
        ("list.yaml", b"- 1\n- 2\n", "mapping"),
        ("not.yaml", b"a: [1", "not YAML"),
        ("latin.yaml", "title: Müller".encode("latin-1"), "UTF-8"),
        ("binary.yaml", bytes(range(256)), "not UTF-8 text"),
        ("twice.yaml", b"schema: 1\nschema: 1\n", "schema"),
        ("bomb.yaml", b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n".encode() for i in range(9)
        ), "bomb.yaml"),
    ],
)  # fmt: skip
def test_files_that_are_no_scenarios(command, folder, name, content, told):
    if content is not None:
        (folder / name).write_bytes(content)
    done = command("validate", name, code=2)
    assert name in done.stderr
    assert told in done.stderr
    assert done.stdout == ""


def test_a_folder_is_no_scenario(command):
    assert "is a folder" in command("validate", "scenarios", code=2).stderr


def test_validate_tells_the_good_and_the_bad_of_several(command):
    done = command("validate", QUICK, "nowhere.yaml", code=2)
    assert done.stdout.startswith(f"{QUICK}: good.")
    assert done.stderr == "nowhere.yaml: there is no such file\n"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["sample_size"], "--set sample_size: must read path=value, such as sample_size=120"),
        (["=3"], "must read path=value"),
        (["sample_size=40", "sample_size=60"], "sample_size is set twice; keep one"),
        (["sampel_size=40"], "did you mean 'sample_size'"),
        (["sample_size=many"], "a number or a list is needed, not the text 'many'"),
        (["sample_size=[40"], "not YAML"),
        (["effects.ketamin.points={qids_sr16: -1}"], "did you mean 'ketamine'?"),
        (["simulation.replicates=0"], "must be at least 1, not 0"),
        (["estimands.primary.visit=13"], "13"),
        (["allocation.ratio=[1]"], "one number for two arms"),
    ],
)
def test_settings_that_cannot_be(command, settings, told):
    options = [part for setting in settings for part in ("--set", setting)]
    done = command("validate", QUICK, *options, code=2)
    assert told in done.stderr
    assert "--set" in done.stderr


def test_settings_are_put_in(command):
    done = command("validate", QUICK, "--set", "sample_size=[40, 60, 80]", "--set", "simulation.replicates=1")
    assert "3 sample sizes, 1 simulated trial each" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("run",),
        ("run", QUICK, "--replicates", "0"),
        ("run", QUICK, "--replicates", "many"),
        ("run", QUICK, "--workers", "0"),
        ("run", QUICK, "--seed", "-1"),
        ("run", QUICK, "--nonsense"),
        ("cohort", QUICK, "--n", "1"),
        ("cohort", QUICK, "--replicate", "-1"),
        ("validate",),
    ],
)
def test_wrong_commands_and_options(command, arguments):
    done = command(*arguments, code=2)
    assert "Usage:" in done.stderr
    assert done.stdout == ""


def test_debug_shows_where_an_error_arose(trialsim, folder):
    import subprocess

    from cli.conftest import console_script

    done = subprocess.run(
        [*console_script(), "validate", "nowhere.yaml", "--debug"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr


def test_explain_tells_every_value_with_its_source(trialsim):
    text = trialsim("explain", FOLLOW_UP).stdout
    assert "effects.ketamine.specific_share = 0.34  (given)" in text
    assert "population.strata.bpd.baseline.qids_sr16 = {mean: 18.5, sd: 3.6}" in text
    assert "[danayan2023]" in text
    assert "6 variants by effects.ketamine.specific_share" in text
    paths = [item["path"] for item in json.loads(trialsim("explain", FOLLOW_UP, "--json").stdout)["provenance"]]
    assert paths
    assert all(f"  {path} = " in text for path in paths)


def test_schema_is_the_shipped_one_and_goes_over_no_other_file(trialsim, folder):
    shipped = (folder / "scenarios" / "schema" / "scenario.schema.json").read_text(encoding="utf-8")
    assert trialsim("schema").stdout == shipped
    trialsim("schema", "--out", "new/schema.json")
    assert (folder / "new" / "schema.json").read_text(encoding="utf-8") == shipped
    trialsim("schema", "--out", "new/schema.json")
    (folder / "new" / "schema.json").write_text('{"title": "trialsim scenario, schema 0"}', encoding="utf-8")
    trialsim("schema", "--out", "new/schema.json")
    assert (folder / "new" / "schema.json").read_text(encoding="utf-8") == shipped
    before = (folder / QUICK).read_bytes()
    assert "left as it is" in trialsim("schema", "--out", QUICK, code=4).stderr
    assert (folder / QUICK).read_bytes() == before
