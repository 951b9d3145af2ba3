"""The report page: self-contained, escaped, complete, the same bytes each time, and quiet when opened."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trialsim.report import style
from trialsim.report.design import labels_of
from trialsim.report.figures import standard_figures
from trialsim.report.html import render_report
from unit.report.conftest import without_estimates

SHARE = "effects.ketamine.specific_share"
SummaryMaker = Callable[..., pd.DataFrame]
ANALYSIS = {
    "name": "mmrm", "method": "mmrm",
    "covariance": "unstructured", "df": "satterthwaite", "covariates": ["baseline", "stratum"],
    "alpha": 0.05, "fallback": "default",
}  # fmt: skip
ANCOVA = {**ANALYSIS, "method": "ancova", "covariance": "none", "df": "residual", "fallback": "none"}
MANIFEST = {"seed": 20230419, "block_size": 250, "versions": {"numpy": "2.0.0"}, "arms": ["midazolam", "ketamine"]}


def make_resolved(**changes: Any) -> dict[str, Any]:
    """Return the parts of a resolved scenario that a report reads."""
    estimand = {"visit": 3, "active": 1, "control": 0, "true_value": -2.0, "endpoint": {"kind": "score"}}
    variant = {
        "arms": ["midazolam", "ketamine"], "arm_labels": ["Midazolam", "Ketamine"],
        "infusion_days": [[0, 3, 7, 10]] * 2,
        "strata": ["bpd", "no_bpd"], "strata_labels": ["with BPD", "without BPD"],
        "outcomes": ["qids_sr16", "madrs", "bsl23"], "outcome_labels": ["QIDS-SR16", "MADRS", "BSL-23"],
        "visits_days": [3.0, 7.0, 10.0, 14.0], "strata_share": [0.5, 0.5], "strata_by": "share",
        "scales": [{"minimum": 0.0, "maximum": 27.0, "step": 1.0}, None,
                   {"minimum": 0.0, "maximum": 4.0, "step": 1 / 23}],
        "lower_is_better": [True, True, True],
        "allocation": {"ratio": [1, 1], "method": "permuted_blocks", "block_sizes": [4, 6], "stratified": True},
        "dropout": {"model": "mar", "days": [14.0], "missing": [0.07], "never_starts": 0.03, "outcome": 0,
                    "score_hazard_ratio_per_sd": 1.3},
        "estimands": [
            {**estimand, "name": "primary", "label": "QIDS-SR16 at day 14", "outcome": 0, "analyses": [ANALYSIS]},
            {**estimand, "name": "madrs_day_14", "label": "madrs_day_14", "outcome": 1, "analyses": [ANALYSIS]},
            {**estimand, "name": "bsl23_day_14", "label": "", "outcome": 2, "analyses": [ANCOVA]},
        ],
        "sample_sizes": [80],
        "baseline_mean": [[18.0, 32.0, 2.0]] * 2, "baseline_sd": [[4.0, 6.0, 0.8]] * 2,
        "mean": [[[[14.0, 24.0, 1.5]] * 4] * 2, [[[12.0, 22.0, 1.2]] * 4] * 2], "sd": [[[5.0, 8.0, 0.8]] * 4] * 2,
        "correlation": [[[float(i == j) for j in range(15)] for i in range(15)]] * 2,
    }  # fmt: skip
    variant.update(changes.pop("variant", {}))
    # As many variants as any summary here has; they differ in values that the report takes from the summary.
    variants = [{**variant, "index": index} for index in range(6)]
    return {"title": "A made-up trial", "description": None, "variants": variants, **changes}


def make_provenance() -> list[dict[str, Any]]:
    """Return one value of each kind."""
    rows = [
        (SHARE, 0.34, "given", None, None, ""),
        ("outcomes.qids_sr16.post_sd", 5.8, "evidence", "measured", "carmody2006", "SD in a TRD sample"),
        ("dropout.score_hazard_ratio_per_sd", 1.3, "evidence", "assumed", "not_a_key", "the size is assumed"),
        ("analysis.primary.method", "mmrm", "default", None, None, ""),
    ]
    keys = ("path", "value", "source", "tag", "citation", "note")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _page(summary: pd.DataFrame, *, figures: bool = False, **changes: Any) -> str:
    resolved = make_resolved(**changes)
    drawn = standard_figures(summary, labels=labels_of(resolved)) if figures else {}
    svgs = {name: style.svg_text(item.figure) for name, item in drawn.items()}
    return render_report(resolved, make_provenance(), summary, svgs, MANIFEST)


@pytest.fixture(scope="module")
def page(summary: pd.DataFrame) -> str:
    """The page of the standard made-up run, with figures."""
    return _page(summary, figures=True)


class _Outline(HTMLParser):
    """Collects tags, ids, targets of links, and whatever would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if tag == "a" and name == "href" and value:
                self.links.append(value)
            elif name in {"src", "href", "xlink:href", "srcset"} and value and not value.startswith("#"):
                self.fetched.append(value)


def _outline(page: str) -> _Outline:
    outline = _Outline()
    outline.feed(page)
    return outline


def test_page_is_self_contained(page: str) -> None:
    outline = _outline(page)
    assert not {"script", "link", "iframe", "object", "embed"} & set(outline.tags)
    assert all(value.startswith("data:image/png;base64,") for value in outline.fetched)
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_ids_are_unique_and_inner_links_lead_somewhere(page: str) -> None:
    outline = _outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)


def test_sections_stand_in_reading_order(page: str) -> None:
    headings = re.findall(r'<h2 id="(\w+)-heading">', page)
    assert headings == [
        "answer", "power", "figures", "design", "estimands", "assumptions", "characteristics", "ledger", "methods",
        "reproducibility", "limitations",
    ]  # fmt: skip
    assert page.count("<svg") == 4
    assert page.count('role="img"') == 4


def test_headline_is_the_answer_for_the_scenarios_own_value(page: str, summary: pd.DataFrame) -> None:
    start, end = page.index('<div class="headline">'), page.index("</div>", page.index('<div class="headline">'))
    headline = page[start:end].replace("\u00a0", " ")
    assert "Share of the change that is specific to Ketamine: 34 %" in headline
    rows = summary[(summary["estimand"] == "primary") & (summary[SHARE] == 0.34)]
    enough = rows[rows["power"] >= 0.8].iloc[0]
    assert f"{enough['n']} patients are enough" in headline
    assert f"{100 * enough['power']:.1f} %" in headline


def test_statement_for_a_protocol_has_its_inputs(page: str) -> None:
    start = page.index("<blockquote>")
    statement = page[start : page.index("</blockquote>", start)]
    for said in ("randomised 1 : 1", "500 simulated trials", "−2.02 points", "QIDS-SR16 at day 14", "two-sided alpha"):
        assert said in statement


def test_design_estimands_sources_and_manifest_are_told(page: str) -> None:
    text = page.replace("\u00a0", " ")
    for said in (
        "permuted blocks of 4 or 6, within each stratum",
        "BSL-23 (0 to 4 in steps of 1/23, lower is better)",
        "MADRS (continuous, lower is better)",
        "hazard ratio 1.3 per SD worse",
        "MADRS at day 14",
        "Ketamine better than Midazolam by 2.02 points",
        "hypothetical strategy",
        "SD in a TRD sample",
        "1 of 4 values of this scenario are assumed",
        "versions.numpy",
        "20230419",
        "missing not at random",
    ):
        assert said in text, said


def test_same_input_gives_the_same_bytes(page: str, summary: pd.DataFrame) -> None:
    assert _page(summary, figures=True) == page


def test_text_from_a_scenario_is_escaped(summary: pd.DataFrame) -> None:
    nasty = '<script>alert(1)</script><img src=x onerror="y">'
    variant = make_resolved()["variants"][0]
    estimands = [{**item, "label": nasty + item["name"]} for item in variant["estimands"]]
    changes = {"arm_labels": [nasty, "Ketamine"], "strata_labels": [nasty, "b"], "estimands": estimands}
    resolved = make_resolved(title=nasty, description=nasty, variant=changes)
    provenance = [{**row, "path": nasty + row["path"], "note": nasty, "citation": nasty} for row in make_provenance()]
    rungs = pd.DataFrame(
        [("primary", "mmrm", True, nasty, 3, 0, 1)],
        columns=["estimand", "method", "failed", "rung", "fits", "cell", "replicate"],
    )
    figures = {
        name: style.svg_text(item.figure)
        for name, item in standard_figures(summary, labels=labels_of(resolved)).items()
    }
    page = render_report(resolved, provenance, summary, figures, {"x": nasty, nasty: 1}, rungs=rungs)
    assert not {"script", "img"} & set(_outline(page).tags)


def test_a_run_that_varies_nothing_and_reaches_nothing(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={}, sizes=[20, 40], estimands=["primary"], replicates=200)
    changes: dict[str, Any] = {
        "variant": {"estimands": make_resolved()["variants"][0]["estimands"][:1], "dropout": None}
    }
    page = _page(frame, **changes).replace("\u00a0", " ")
    assert "None of the sizes simulated, 20 to 40, is enough for 80 % power" in page
    assert "<blockquote>" not in page
    assert "Nobody leaves these simulated trials" in page
    assert "says nothing about the type I error" in page
    assert "This run was reported without figures." in page
    assert "no adjustment for several tests" not in page


def test_fall_backs_and_failures_are_listed_with_an_example(summary: pd.DataFrame) -> None:
    rungs = pd.DataFrame(
        [("primary", "mmrm", False, "compound_symmetry", 12, 3, 17)],
        columns=["estimand", "method", "failed", "rung", "fits", "cell", "replicate"],
    )
    page = render_report(make_resolved(), make_provenance(), summary, {}, MANIFEST, rungs=rungs)
    command = "trialsim trial [^<]* --cell 3 --replicate 17"
    assert re.search(
        rf"fell back</td><td[^>]*>compound symmetry</td><td>12</td><td[^>]*><code>{command}</code></td>", page
    )


def test_a_browser_opens_it_and_asks_for_nothing(page: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    log = tmp_path / "net.json"
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update",
            "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage",
            f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Limitations" in done.stdout
    urls = set(re.findall(r'"url":"(https?://[^"]+)"', log.read_text(encoding="utf-8", errors="replace")))
    # The browser itself calls its maker; the page may not add to that.
    assert not {url for url in urls if not re.search(r"google|gstatic|googleapis", url)}


def test_varied_lists_that_come_back_from_a_file_as_arrays(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={"allocation.ratio": [0, 1], SHARE: [0.34]}, sizes=[80, 120], replicates=50)
    ratios = {0: np.array([1, 1]), 1: np.array([2, 1])}
    frame["allocation.ratio"] = frame["allocation.ratio"].map(ratios)
    provenance = [*make_provenance(), {**make_provenance()[0], "path": "allocation.ratio", "value": [2, 1]}]
    resolved = make_resolved()
    figures = {
        name: style.svg_text(item.figure) for name, item in standard_figures(frame, labels=labels_of(resolved)).items()
    }
    page = render_report(resolved, provenance, frame, figures, MANIFEST).replace("\u00a0", " ")
    start = page.index('<div class="headline">')
    assert (
        "Allocation ratio: 2 : 1, Share of the change that is specific to Ketamine: 34 %" in page[start : start + 300]
    )
    assert "1 : 1, 2 : 1" in page


VISIT = "estimands.primary.visit"
OUTCOME = "estimands.primary.outcome"


def _varied_question(summary_maker: SummaryMaker) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return a run whose primary visit (7, 14) and outcome (QIDS-SR16, MADRS) are varied."""
    frame = summary_maker(vary={VISIT: [7, 14], OUTCOME: [0, 1]}, sizes=[80, 900], estimands=["primary"])
    frame[OUTCOME] = frame[OUTCOME].map({0: "qids_sr16", 1: "madrs"})
    resolved = make_resolved()
    for variant in resolved["variants"][:4]:
        visit, outcome = divmod(variant["index"], 2)
        primary = {**variant["estimands"][0], "visit": 1 + 2 * visit, "outcome": outcome}
        primary["label"] = f"{variant['outcome_labels'][outcome]} at day {(7, 14)[visit]}"
        variant["estimands"] = [primary]
    resolved["variants"] = resolved["variants"][:4]
    return resolved, frame


def test_a_varied_question_is_told_in_general_and_per_variant(summary_maker: SummaryMaker) -> None:
    resolved, frame = _varied_question(summary_maker)
    labels = labels_of(resolved)
    assert labels["estimands.primary"] == "QIDS-SR16 or MADRS at day 7 or 14"
    provenance = [
        {**make_provenance()[0], "path": "estimands.primary", "value": {"outcome": "madrs", "visit": 14}},
        *make_provenance(),
    ]
    page = render_report(resolved, provenance, frame, {}, MANIFEST).replace("\u00a0", " ")
    question = page[page.index('<p class="question">') :].partition("</p>")[0]
    assert "find the effect on QIDS-SR16 or MADRS at day 7 or 14" in question
    assert "<h3>QIDS-SR16 or MADRS at day 7 or 14" in page
    assert "QIDS-SR16 score at day 7, points; or MADRS score at day 7, points" in page
    assert "estimands.primary" not in page.partition('id="assumptions"')[0]
    headline = page[page.index('<div class="headline">') :].partition("</div>")[0]
    assert "Day of the visit, primary: 14, Outcome, primary: MADRS" in headline
    statement = page[page.index("<blockquote>") :].partition("</blockquote>")[0]
    assert "points in MADRS at day 14" in statement


def test_varied_analyses_and_dropout_are_all_told(summary: pd.DataFrame) -> None:
    resolved = make_resolved()
    for variant in resolved["variants"]:
        primary = dict(variant["estimands"][0])
        primary["analyses"] = [{**ANALYSIS, "alpha": 0.05 if variant["index"] % 2 else 0.01}]
        variant["estimands"] = [primary, *variant["estimands"][1:]]
        variant["dropout"] = None if variant["index"] else variant["dropout"]
    page = render_report(resolved, make_provenance(), summary, {}, MANIFEST).replace("\u00a0", " ")
    assert re.search("One of 2, varied: [^<]*two-sided alpha 1 %", page)
    assert re.search("One of 2, varied: [^<]*two-sided alpha 5 %", page)
    assert re.search("Missing 7 % by day 14[^<]*; or Nobody leaves: complete data", page)
    assert "missing not at random" in page
    assert "Nobody leaves these simulated trials" in page


def test_a_count_is_told_by_its_own_label(summary_maker: SummaryMaker) -> None:
    resolved = make_resolved(variant={"counts": [{"name": "acts", "label": "Acts of self-harm"}]})
    for variant in resolved["variants"]:
        variant["estimands"] = [{**variant["estimands"][0], "label": "", "endpoint": {"kind": "count"}}]
    assert labels_of(resolved)["estimands.primary"] == "Acts of self-harm up to day 14"


def test_a_varied_method_is_not_told_as_its_first(summary_maker: SummaryMaker) -> None:
    path = "analysis.primary.method"
    frame = summary_maker(vary={path: [0, 1]}, sizes=[80], estimands=["primary"], replicates=50)
    frame[path] = frame["method"] = frame[path].map({0: "ancova", 1: "mmrm"})
    resolved = make_resolved()
    resolved["variants"] = resolved["variants"][:2]
    for variant, analysis in zip(resolved["variants"], [ANCOVA, ANALYSIS], strict=True):
        variant["estimands"] = [{**variant["estimands"][0], "analyses": [analysis]}]
    page = render_report(resolved, make_provenance(), frame, {}, MANIFEST)
    assert "QIDS-SR16 at day 14, ANCOVA or MMRM" in page


def test_a_run_without_any_effect_is_headed_type_i_error(summary_maker: SummaryMaker) -> None:
    frame = summary_maker(vary={SHARE: [0]}, sizes=[80, 160], estimands=["primary"], replicates=50)
    resolved = make_resolved()
    page = render_report(
        resolved, make_provenance(), frame,
        {name: style.svg_text(item.figure) for name, item in standard_figures(frame).items()}, MANIFEST,
    ).replace("\u00a0", " ")  # fmt: skip
    assert '<h2 id="power-heading">Type I error</h2>' in page
    assert "find a difference in QIDS-SR16 at day 14 where there is none?" in page
    assert "are shaded and bold" not in page
    assert "Power, %" not in page
    assert "<h3>Type I error by number of patients</h3>" in page


def test_sizes_without_any_fit_are_told(summary_maker: SummaryMaker) -> None:
    frame = without_estimates(summary_maker(vary={}, sizes=[8, 160], estimands=["primary"]), n=8)
    page = _page(frame)
    assert "With 8 patients no fit gave an estimate." in page
    assert "– ±" not in page
