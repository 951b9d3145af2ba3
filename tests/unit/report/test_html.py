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
    estimand = {"visit": 3, "active": 1, "control": 0, "true_value": -2.0}
    variant = {
        "arms": ["midazolam", "ketamine"], "arm_labels": ["Midazolam", "Ketamine"],
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
    }  # fmt: skip
    variant.update(changes.pop("variant", {}))
    return {"title": "A made-up trial", "description": None, "variants": [variant], **changes}


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
    assert re.search(r"fell back</td><td[^>]*>compound symmetry</td><td>12</td><td>3</td><td>17</td>", page)


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
