"""How a trial is run, as it is written, resolved with sources, and refused where it can never work."""

import math

import pytest

from trialsim import evidence
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Amount
from unit.scenario.conftest import BASE

END = "simulation:"
LINE = 1 + BASE[: BASE.index(END)].count("\n")
"""Where operations are put in."""

MODEL = ("allocation: {ratio", "course: {infusion_model: {}}\nallocation: {ratio")
DBT = (
    ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
    ("dropout: {model: mar", "therapies: {dbt: {}}\ndropout: {model: mar"),
)


def running(text):
    return (END, f"operations: {text}\n{END}")


def row(found, path):
    return next(row for row in found.provenance if row.path == path)


def test_nothing_is_run_unless_it_is_asked_for(resolved):
    found = resolved()
    assert found.variants[0].operations is None
    assert "operations" not in found.to_dict()["variants"][0]


def test_defaults_come_from_the_catalogue(resolved):
    found = resolved(running("{sites: {number: 6}}"))
    told = found.variants[0].operations
    assert len(told.sites) == 6
    assert {site.rate_per_month for site in told.sites} == {evidence.get("defaults.accrual.trd").value}
    assert row(found, "operations.sites.rate_per_month").tag == "derived"
    funnel = told.recruitment.funnel
    assert (funnel.eligible, funnel.consenting) == (0.08, 0.2)
    assert row(found, "operations.recruitment.funnel.eligible").citation == "karma_dep_pilot"
    assert told.costs.infusion == Amount("triangular", (400.0, 600.0, 800.0))
    assert row(found, "operations.costs.infusion").citation == "ketamine_prices"
    assert row(found, "operations.costs.month").tag == "assumed"
    assert told.infusion_days == found.variants[0].infusion_days
    assert told.visits_days == (3.0, 7.0, 10.0, 14.0)
    assert told.therapy is None
    assert all(site.chairs is None for site in told.sites)
    assert told.clinic.weekdays == (0, 1, 2, 3, 4, 5, 6)


def test_patients_who_all_have_bpd_come_more_slowly(resolved):
    strata = ("    no_bpd: {share: 0.5, baseline: defaults.trd_no_bpd}\n", "")
    share = ("bpd: {share: 0.5, baseline: defaults.trd_bpd}", "bpd: {share: 1.0, baseline: defaults.trd_bpd}")
    change = ("qids_sr16: -2.0, madrs: -5.0", "qids_sr16: -2.0, madrs: -5.0")
    found = resolved(running("{sites: {number: 1}}"), strata, share, change)
    assert found.variants[0].operations.sites[0].rate_per_month == evidence.get("defaults.accrual.trd_bpd").value


def test_sites_of_their_own_that_open_one_after_the_other(resolved):
    text = (
        "{sites: {named: {a: , b: {chairs: 3, rate_per_month: 2, label: Site B}, c: {opens_month: 9}}, "
        "opens_month: {uniform: [1, 2]}, opens_every_months: 2, chairs: 1, rate_shape: none}}"
    )
    told = resolved(running(text), MODEL).variants[0].operations
    assert [site.chairs for site in told.sites] == [1, 3, 1]
    assert [site.label for site in told.sites] == ["a", "Site B", "c"]
    assert told.sites[0].opens_days == Amount("uniform", (DAYS_PER_MONTH, 2 * DAYS_PER_MONTH))
    assert told.sites[1].opens_days == Amount("uniform", (3 * DAYS_PER_MONTH, 4 * DAYS_PER_MONTH))
    assert told.sites[2].opens_days == Amount("constant", (9 * DAYS_PER_MONTH,))
    assert told.sites[1].rate_per_month == 2
    assert told.recruitment.rate_shape == math.inf


def test_recruitment_clinic_and_groups_in_the_simulators_units(resolved):
    text = """{
        sites: {number: 2, therapists: 1},
        recruitment: {until_month: 24, quotas: {bpd: 60}, pauses: [{from_month: 2, until_month: 3}]},
        clinic: {weekdays: [friday, monday], hours: 6, waiting: {patience_days: 0, leave_per_week: 0.5}},
        therapy: {size: 8},
    }"""
    told = resolved(running(text), MODEL, *DBT).variants[0].operations
    assert told.recruitment.horizon_days == 24 * DAYS_PER_MONTH
    assert told.recruitment.quotas == (60, None)
    assert (told.recruitment.pauses[0].from_day, told.recruitment.pauses[0].until_day) == (
        2 * DAYS_PER_MONTH,
        3 * DAYS_PER_MONTH,
    )
    assert told.clinic.weekdays == (0, 4)
    assert told.clinic.open_minutes == 360.0
    # Half of those who wait are gone after a week.
    assert math.exp(-7 * told.clinic.waiting.hazard_per_day) == pytest.approx(0.5)
    therapy = told.therapy
    assert (therapy.name, therapy.arms, therapy.size, therapy.start_size, therapy.caseload) == ("dbt", (1,), 8, 6, 8)
    assert (therapy.sessions, therapy.interval_days, therapy.ready_day) == (20, 7.0, 0.0)


def test_clusters_may_be_what_comes_about(resolved):
    clusters = (
        "clusters: {site: {made_by: sites, icc: 0.02}, group: {made_by: therapy_groups, icc: 0.05}}\n"
        "operations: {sites: {number: 4}, therapy: {size: 6}}\n"
    )
    site, group = resolved((END, clusters + END), *DBT).variants[0].clusters
    assert (site.made_by, site.number, site.size, site.arms) == ("sites", 4, 0, (0, 1))
    assert (group.made_by, group.number, group.size, group.arms) == ("therapy_groups", 0, 6, (1,))


def test_therapists_may_lead_the_groups_that_come_about(resolved):
    clusters = (
        "clusters: {group: {made_by: therapy_groups, therapy: dbt, icc: 0.05}, "
        "therapist: {of: group, groups_each: 2, icc: 0.02}}\n"
        "operations: {sites: {number: 4}, therapy: {size: 6}}\n"
    )
    group, therapist = resolved((END, clusters + END), *DBT).variants[0].clusters
    assert group.arms == therapist.arms == (1,)
    assert not group.within_arms
    assert (therapist.of, therapist.size, therapist.number) == ("group", 0, 0)
    assert list(group.growth) == list(therapist.growth)
    assert group.growth[-1] < 1.0  # the last visit is before the therapy's end


@pytest.mark.parametrize(
    ("more", "key"),
    [("size: 8", "size"), ("number: 3", "number"), ("of: x, groups_each: 2", "of"), ("entry: rolling", "entry")],
)
def test_nothing_is_told_twice_of_groups_that_come_about(faults, more, key):
    text = f"clusters: {{g: {{made_by: sites, icc: 0.02, {more}}}}}\noperations: {{sites: {{number: 2}}}}\n{END}"
    told = [line for line in faults((END, text)) if f"clusters.g.{key}:" in line]
    assert told
    assert all("follows from operations, whose sites these are: leave it out" in line for line in told)


def test_groups_that_come_about_sit_in_the_therapy_that_is_run(faults):
    text = (
        "clusters: {g: {made_by: therapy_groups, therapy: other, icc: 0.02}}\n"
        f"operations: {{sites: {{number: 2}}, therapy: {{therapy: dbt}}}}\n{END}"
    )
    other = ("therapies: {dbt: {}}", "therapies: {dbt: {}, other: {}}")
    assert any("these groups sit in dbt" in line for line in faults((END, text), *DBT, other))


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("§{}", "sites", "is missing"),
        ("{§sites: {}}", "sites", "give either number (of sites) or named (sites by name)"),
        ("{sites: {number: §0}}", "sites.number", "must be at least 1, not 0"),
        ("{sites: {number: 2, chairs: §0}}", "sites.chairs", "must be at least 1, not 0"),
        (
            "{sites: {number: 2, §opens_month: 70}}",
            "sites.opens_month",
            "no site ever opens: the first one does in month 70, and recruitment ends in month 60",
        ),
        (
            "{sites: {number: 2, §rate_per_month: 0}}",
            "sites.rate_per_month",
            "nobody is ever recruited: the rate of every site is 0",
        ),
        (
            "{sites: {number: 2}, recruitment: {§quotas: {bpd: 50, no_bpd: 60}}}",
            "recruitment.quotas",
            "the quotas have room for 110, fewer than the 120 of sample_size: raise one, or leave one out",
        ),
        (
            "{sites: {number: 2}, recruitment: {quotas: {§bdp: 90}}}",
            "recruitment.quotas.bdp",
            "there is no stratum 'bdp'; did you mean 'bpd'?",
        ),
        ("{sites: {number: 2}, costs: {visit: §-3}}", "costs.visit", "must be at least 0, not -3"),
        (
            "{sites: {number: 2}, costs: {visit: {triangular: §[1, 5, 3]}}}",
            "costs.visit.triangular",
            "numbers must rise (low, most likely, high): 1, 5 and 3",
        ),
        (
            "{sites: {number: 2}, costs: {visit: {triangular: [§-1, 2, 3]}}}",
            "costs.visit.triangular.0",
            "must be at least 0, not -1",
        ),
        (
            "{sites: {number: 2}, costs: {visit: §{}}}",
            "costs.visit",
            "give one distribution, not no distributions: uniform, triangular, lognormal or gamma",
        ),
        (
            "{sites: {number: 2, opens_month: §{gamma: [2, 1]}, opens_every_months: 1}}",
            "sites.opens_month",
            "opens_every_months goes with a number, uniform or triangular: name the sites and give each its own",
        ),
        (
            "{sites: {number: 2}, recruitment: {season: §[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4]}}",
            "recruitment.season",
            "the twelve factors must average 1, not 1.25",
        ),
        (
            "{sites: {number: 2}, recruitment: {pauses: [{from_month: 5, until_month: §4}]}}",
            "recruitment.pauses.0.until_month",
            "must be after from_month (5), not 4",
        ),
        (
            "{sites: {number: 2}, clinic: {§hours: 2}}",
            "clinic.hours",
            "an infusion and its watch take 160 minutes and do not fit into 2 hours",
        ),
        (
            "{sites: {number: 2}, visits: {weekdays: §[monday, monday]}}",
            "visits.weekdays",
            "monday is named twice",
        ),
        (
            "{sites: {number: 2}, §therapy: {size: 4}}",
            "therapy",
            "there is no therapy: describe it under therapies, and name it in the arms that have it",
        ),
    ],
)
def test_what_can_never_work_is_told_at_its_place(faults, text, path, told):
    written = f"operations: {text}"
    column = written.index("§") + 1 if text[0] != "§" else 1  # a key that is missing is told at what it is missing from
    (fault,) = faults(running(text.replace("§", "")))
    line = fault.split(":")[0]
    assert int(line) == LINE
    assert fault.startswith(f"{line}:{column}: operations.{path}: {told}")


def test_late_infusions_need_a_course_that_goes_by_infusions(faults):
    (fault,) = faults(running("{sites: {number: 2, nurses: 1}}"))
    assert fault.startswith(f"{LINE}:1: operations: infusions may be late or missed")
    assert "write course: {infusion_model: {}}" in fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{sites: {number: 2}, therapy: {size: 4, start_size: 5}}", "a group of 4 cannot wait for 5 to start"),
        (
            "{sites: {number: 2}, therapy: {size: 4, start_size: 3, caseload: 2}}",
            "can lead no group that starts with 3",
        ),
        ("{sites: {number: 2, therapists: 0}, therapy: {}}", "needs somebody to lead them: give 1 or more"),
        ("{sites: {number: 2}, therapy: {therapists: 2}}", "therapists of all sites together are for across_sites"),
        ("{sites: {number: 2}, therapy: {therapy: cbt}}", "there is no therapy 'cbt'"),
    ],
)
def test_groups_that_can_never_meet(faults, text, told):
    found = faults(running(text), *DBT)
    assert any(told in line for line in found), found


def test_quotas_above_what_is_eligible(faults):
    strata = ("no_bpd: {share: 0.5,", "no_bpd: {share: 0,"), ("  bpd: {share: 0.5,", "  bpd: {share: 1.0,")
    found = faults(running("{sites: {number: 2}, recruitment: {quotas: {bpd: 60, no_bpd: 60}}}"), *strata)
    assert any("nobody of this stratum is eligible (its share is 0), so 60 cannot come" in line for line in found)
    assert any("the quotas have room for 60, fewer than the 120" in line for line in found)


def test_days_must_be_whole_and_infusions_begin_on_day_0(faults):
    schedule = (
        "infusions: [0, 3, 7, 10], visits: [3, 7, 10, 14]",
        "infusions: [1, 3, 7, 10], visits: [3, 7, 10.5, 14]",
    )
    found = faults(running("{sites: {number: 2}}"), schedule)
    assert any("schedule.infusions: with operations, infusions are on whole days" in line for line in found)
    assert any("schedule.visits.2: with operations, visits are on whole days, not 10.5" in line for line in found)


def test_faults_of_shape_do_not_hide_those_of_meaning(faults):
    text = "{sites: {number: 2, chairs: 0, opens_month: 99}, clinic: {hours: 2}, costs: {fixed: -1}}"
    found = faults(running(text))
    for path in ("sites.chairs", "sites.opens_month", "clinic.hours", "costs.fixed"):
        assert any(f"operations.{path}:" in line for line in found), path


def test_clusters_need_what_makes_them(faults):
    found = faults((END, f"clusters: {{site: {{made_by: sites, icc: 0.02}}}}\n{END}"))
    assert any("there are no operations that would make such groups" in line for line in found)
    found = faults(
        (END, f"clusters: {{g: {{made_by: therapy_groups, icc: 0.02}}}}\noperations: {{sites: {{number: 2}}}}\n{END}")
    )
    assert any("there are no therapy groups: describe them under operations.therapy" in line for line in found)
