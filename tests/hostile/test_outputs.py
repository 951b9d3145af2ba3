"""Where things are written: names that lead elsewhere, links, and text that a page or a spreadsheet would obey."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from cli.conftest import ROOT

QUICK = (ROOT / "scenarios" / "quick_start.yaml").read_text(encoding="utf-8")
SMALL = ("--workers", "1", "--replicates", "20", "--set", "sample_size=[40]")


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "..", ".", "CON.", "a b", "", "x" * 41, "é", "a\nb"])
@pytest.mark.parametrize("place", ["arm", "estimand", "stratum"])
def test_names_that_could_be_paths_are_refused(command, folder, name, place):
    old = {"arm": "midazolam:", "estimand": "primary:", "stratum": "no_bpd:"}[place]
    import json

    (folder / "s.yaml").write_text(QUICK.replace(old, f"{json.dumps(name)}:", 1), encoding="utf-8")
    told = command("validate", "s.yaml", code=2).stderr
    assert "a name begins with a letter" in told or "at most 40" in told


@pytest.mark.parametrize("name", ["..yaml", "...yaml", "....yaml"])
def test_a_file_name_of_dots_leads_nowhere_else(command, folder, name):
    (folder / name).write_text(QUICK, encoding="utf-8")
    command("run", name, *SMALL, "--quiet")
    assert {path.name for path in (folder / "outputs").iterdir()} == {"scenario"}
    assert not (folder / "manifest.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="making links needs rights elsewhere")
def test_a_link_that_leads_nowhere_is_not_written_through(command, folder):
    (folder / "link.csv").symlink_to(folder / "elsewhere.csv")
    told = command("cohort", "scenarios/quick_start.yaml", "--n", "10", "--out", "link.csv", code=4).stderr
    assert "link.csv is there already" in told
    assert not (folder / "elsewhere.csv").exists()


@pytest.mark.skipif(os.name != "posix", reason="making links needs rights elsewhere")
def test_a_link_in_a_run_folder_is_replaced_and_not_written_through(command, folder):
    run = ("run", "scenarios/quick_start.yaml", *SMALL, "--out", "r", "--quiet")
    command(*run)
    precious = folder / "precious.txt"
    precious.write_text("mine", encoding="utf-8")
    for name in ("summary.csv", "report.html"):
        (folder / "r" / name).unlink()
        (folder / "r" / name).symlink_to(precious)
    command(*run, "--verify")
    assert precious.read_text(encoding="utf-8") == "mine"
    assert not (folder / "r" / "summary.csv").is_symlink()


def test_labels_are_text_in_the_report_and_in_csv(command, folder):
    label = "=HYPERLINK(''http://x'',''y'')<script>alert(1)</script><img src=x onerror=alert(2)>"
    text = QUICK.replace("label: TRD with BPD", f"label: '{label}'")
    text = text.replace("title: A small trial with an effect of three points", "title: '<script>alert(3)</script>'")
    text = text.replace("ketamine:  {infusion: ketamine}", f"ketamine:  {{infusion: ketamine, label: '{label}'}}")
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    command("run", "s.yaml", *SMALL, "--out", "r", "--quiet")
    page = (folder / "r" / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(3)&lt;/script&gt;" in page
    assert not re.search(r"<script|<img[^>]*onerror|<[^>]*\son\w+=", page)
    cells = [cell for path in (folder / "r").rglob("*.csv") for row in read(path) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(re.match(r"[=@+]|-[^0-9]", cell) for cell in cells if cell not in ("-", "-inf"))


def read(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_a_run_that_is_too_large_is_refused_before_anything_is_written(command, folder):
    quick = ("run", "scenarios/quick_start.yaml", "--out", "r")
    told = command(*quick, "--replicates", "1000000", "--set", "sample_size=[100000]", code=4).stderr
    assert (
        "it simulates 100,000,000,000 patients: its largest sample size, for each varied value and every trial" in told
    )
    assert "in whole blocks of 250 (at most 10,000,000,000)" in told
    assert "--force" in told
    assert not (folder / "r").exists()


def test_what_a_large_run_needs_is_said_first(folder):
    from trialsim.engine.needs import needs, refuse_if_too_large
    from trialsim.errors import RefusedError
    from trialsim.scenario import load, resolve

    variants = resolve(load(folder / "scenarios" / "followup_rct.yaml")).variants
    small, large = needs(variants, 500), needs(variants, 1_000_000)
    assert not small.is_worth_saying
    assert large.is_worth_saying
    assert large.units == 4000 * len(variants)
    assert "1,000,000 simulated trials" in large.words(2)
    refuse_if_too_large(small, folder, workers=1)
    with pytest.raises(RefusedError, match=r"5000 workers need about .* memory; give it --workers [0-9]+"):
        refuse_if_too_large(small, folder, workers=5000)


def test_the_estimate_of_memory_is_not_below_what_a_block_takes(folder):
    """Of the arrays of one block, by the allocator's own count; within a factor of four above."""
    import tracemalloc

    from trialsim.engine.needs import unit_memory
    from trialsim.engine.plan import Unit
    from trialsim.engine.work import Job, compute_unit
    from trialsim.scenario import load, resolve

    resolved = resolve(load(folder / "scenarios" / "self_harm.yaml", settings={"sample_size": [400]}).at_base())
    job = Job(resolved.variants, resolved.hash, resolved.seed)
    compute_unit(job, Unit(0, 0))
    tracemalloc.start()
    compute_unit(job, Unit(0, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    arrays = unit_memory(resolved.variants[0]) - 200_000_000
    assert peak / 4 < arrays
    assert peak < arrays * 2
