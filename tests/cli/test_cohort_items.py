"""`trialsim cohort --items` of the scenario with all outcomes."""

from __future__ import annotations

import csv

ALL = "scenarios/all_outcomes.yaml"


def test_all_scales_and_the_items_of_two(trialsim, folder):
    done = trialsim("cohort", ALL, "--items", "--n", "30", "--out", "all.csv")
    assert done.stdout == "Wrote all.csv: 30 patients, 240 rows\n"
    with open(folder / "all.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    scales = {"qids_sr16", "madrs", "bsl23", "qids_si", "gad7", "sds", "cssrs_ideation"}
    assert scales <= set(rows[0])
    seen = [row for row in rows if row["qids_sr16"]]
    assert len(seen) > 200
    for row in seen:
        domains = [int(value) for name, value in row.items() if name.startswith("qids_sr16_domain_")]
        assert len(domains) == 9
        total, ideation = int(row["qids_sr16"]), int(row["qids_si"])
        assert sum(domains) == total
        assert int(row["qids_sr16_item_12"]) == min(max(ideation, total - 24), total)
        items = [int(row[f"bsl23_item_{i}"]) for i in range(1, 24)]
        assert abs(sum(items) / 23 - float(row["bsl23"])) < 1e-9


def test_there_are_no_items_of_other_scales(trialsim):
    text = trialsim(
        "cohort", "scenarios/quick_start.yaml", "--items", "--set", "outcomes.qids_sr16.scale=continuous", code=2
    ).stderr
    assert "no outcome has items" in text
