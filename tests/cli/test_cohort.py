"""`trialsim cohort`: the patients of one trial as CSV."""

from __future__ import annotations

import csv

FOLLOW_UP = "scenarios/followup_rct.yaml"


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_patients_of_the_main_scenario(trialsim, folder):
    done = trialsim("cohort", FOLLOW_UP, "--n", "60")
    assert "vary is left aside (effects.ketamine.specific_share)" in done.stderr
    path = folder / "outputs" / "followup_rct_cohort.csv"
    assert done.stdout.startswith("Wrote outputs")
    assert done.stdout.endswith("60 patients, 300 rows\n")
    rows = rows_of(path)
    assert list(rows[0]) == ["patient", "stratum", "arm", "day", "qids_sr16", "madrs", "bsl23", "present"]
    assert len({row["patient"] for row in rows}) == 60
    assert [row["day"] for row in rows[:5]] == ["0", "3", "7", "10", "14"]
    assert {row["stratum"] for row in rows} == {"bpd", "no_bpd"}
    assert {row["arm"] for row in rows} == {"midazolam", "ketamine"}
    for row in rows:
        if row["present"] == "False":
            assert row["qids_sr16"] == row["madrs"] == row["bsl23"] == ""
            continue
        assert row["qids_sr16"].isdigit()
        assert 0 <= int(row["qids_sr16"]) <= 27
        assert row["madrs"].isdigit()
        assert 0 <= int(row["madrs"]) <= 60
        steps = float(row["bsl23"]) * 23
        assert abs(steps - round(steps)) < 1e-9
        assert 0 <= round(steps) <= 92
    assert any(row["present"] == "False" for row in rows)
    at_baseline = [row for row in rows if row["day"] == "0"]
    assert all(row["present"] == "True" for row in at_baseline)


def test_who_has_left_does_not_come_back(command, folder):
    command("cohort", FOLLOW_UP, "--n", "200", "--out", "c.csv")
    gone = set()
    for row in rows_of(folder / "c.csv"):
        assert not (row["patient"] in gone and row["present"] == "True")
        if row["present"] == "False":
            gone.add(row["patient"])
    assert gone


def test_a_smaller_trial_is_the_beginning_of_a_larger_one(command, folder):
    command("cohort", FOLLOW_UP, "--n", "40", "--out", "small.csv")
    command("cohort", FOLLOW_UP, "--n", "80", "--out", "large.csv")
    small, large = rows_of(folder / "small.csv"), rows_of(folder / "large.csv")
    assert large[: len(small)] == small
    command("cohort", FOLLOW_UP, "--n", "40", "--replicate", "1", "--out", "other.csv")
    assert rows_of(folder / "other.csv") != small


def test_another_file_is_left_as_it_is(command, folder):
    arguments = ("cohort", "scenarios/quick_start.yaml", "--n", "4", "--out", "c.csv")
    command(*arguments)
    command(*arguments)
    before = (folder / "c.csv").read_bytes()
    assert "left as it is" in command(*arguments, "--replicate", "5", code=4).stderr
    assert (folder / "c.csv").read_bytes() == before
    (folder / "odd.csv").write_bytes(b"\xff\xfe")
    command("cohort", "scenarios/quick_start.yaml", "--out", "odd.csv", code=4)
    assert "is a folder" in command("cohort", "scenarios/quick_start.yaml", "--out", "scenarios", code=4).stderr


def test_potential_outcomes_show_every_patient_in_every_arm(command, folder):
    command("cohort", FOLLOW_UP, "--n", "60", "--potential-outcomes", "--out", "worlds.csv")
    command("cohort", FOLLOW_UP, "--n", "60", "--out", "trial.csv")
    worlds, trial = rows_of(folder / "worlds.csv"), rows_of(folder / "trial.csv")
    assert list(worlds[0]) == ["patient", "stratum", "arm", "assigned", "day", "qids_sr16", "madrs", "bsl23", "present"]
    assert len(worlds) == 2 * len(trial)
    # The world of the arm that a patient was randomised to is the trial itself.
    own = [{key: row[key] for key in trial[0]} for row in worlds if row["arm"] == row["assigned"]]
    assert own == trial
    by_place = {(row["patient"], row["arm"], row["day"]): row for row in worlds}
    assert len(by_place) == len(worlds)
    for (patient, arm, day), row in by_place.items():
        other = by_place[patient, {"midazolam": "ketamine", "ketamine": "midazolam"}[arm], day]
        assert (row["stratum"], row["assigned"]) == (other["stratum"], other["assigned"])
        if day == "0":
            assert row["qids_sr16"] == other["qids_sr16"]
        elif "" not in (row["qids_sr16"], other["qids_sr16"]) and arm == "ketamine":
            assert int(row["qids_sr16"]) <= int(other["qids_sr16"])  # the same draws, a lower mean
    assert [(row["patient"], row["arm"]) for row in worlds[:10]] == [("1", "midazolam")] * 5 + [("1", "ketamine")] * 5


def test_potential_outcomes_have_the_columns_of_counts_and_groups(command, folder):
    command("cohort", "scenarios/self_harm.yaml", "--n", "30", "--potential-outcomes", "--out", "harm.csv")
    command("cohort", "scenarios/self_harm.yaml", "--n", "30", "--out", "trial.csv")
    worlds, trial = rows_of(folder / "harm.csv"), rows_of(folder / "trial.csv")
    assert set(worlds[0]) == {*trial[0], "assigned"}
    assert [{key: row[key] for key in trial[0]} for row in worlds if row["arm"] == row["assigned"]] == trial
    command("cohort", "scenarios/therapy_groups.yaml", "--n", "20", "--potential-outcomes", "--out", "groups.csv")
    rows = rows_of(folder / "groups.csv")
    in_group = {arm: {row["skills_group"] for row in rows if row["arm"] == arm} for arm in ("usual", "dbt")}
    assert in_group["usual"] == {""}
    assert "" not in in_group["dbt"]


def test_potential_outcomes_have_a_file_name_of_their_own(command, folder):
    command("cohort", "scenarios/quick_start.yaml", "--n", "4", "--potential-outcomes")
    assert (folder / "outputs" / "quick_start_potential_outcomes.csv").exists()


def test_values_that_are_assumed_are_counted_where_there_are_any(command, folder):
    told = command("cohort", "scenarios/quick_start.yaml", "--n", "20").stderr
    shown = command("explain", "scenarios/quick_start.yaml").stdout
    assert f"{shown.count('(assumed)')} of the " in told
    assert "`trialsim explain scenarios/quick_start.yaml`" in told
