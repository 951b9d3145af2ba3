"""The documentation: generated pages are up to date, links lead somewhere, and every command shown exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.main import get_command

from trials import simulated
from trialsim.api import load
from trialsim.cli.app import app
from trialsim.cli.formula_source import formula_source
from trialsim.report.design import labels_of
from trialsim.report.figures.power_curves import power_curve_data
from trialsim.report.summary import hypotheses
from trialsim.scenario import resolve

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", generate.PAGES)
def test_page_is_up_to_date(name):
    """All but what is simulated, which `python docs/generate.py --check` makes again: runs in the tutorial, levels."""
    assert not generate.is_stale(name, runs=False), f"python docs/generate.py {name}"


@pytest.mark.parametrize(
    ("name", "there", "wanted", "same"),
    [
        ("validation.md", "| a1 | -1.23456 | < 1e-12 |", "| a1 | -1.234561 | < 1e-11 |", True),
        ("validation.md", "| a1 | 1.23456 | < 1e-3 |", "| a1 | 1.23456 | < 1 |", True),
        ("validation.md", "| a1 | 1.23456 | < 1e-3 |", "| a1 | 1.2346 | < 1e-3 |", False),
        ("validation.md", "| a1 | 1.23456 | < 1e-3 |", "| a2 | 1.23456 | < 1e-3 |", False),
        ("validation.md", "| a1 | 1.23456 | equal |", "| a1 | 1.23456 | < 1e-3 |", False),
        ("type_i_error.md", "| t | .0500 (.0007) |", "| t | .0501 (.0007) |", True),
        ("type_i_error.md", "| t | .0500 (.0007) |", "| t | .0504 (.0007) |", False),
        ("cli.md", "1.0", "1.00", False),
    ],
)
def test_only_rounding_may_differ(name, there, wanted, same):
    assert generate._same(there, wanted, name) is same


def test_a_test_whose_level_is_not_on_the_page_makes_it_stale():
    text = (DOCS / "type_i_error.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\| Welch \|.*\n", text, re.MULTILINE)
    assert "| Welch | not simulated yet" in generate.levels_page.page_with_levels_of(text.replace(line, ""))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    found = set()
    for line in without_code(path.read_text(encoding="utf-8")).splitlines():
        if match := re.match(r"#+ (.*)", line):
            words = re.sub(r"[^\w\- ]", "", match[1].lower())
            found.add(words.strip().replace(" ", "-"))
    return found


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_can_be_reached_from_the_index():
    index = DOCS / "index.md"
    reached = {
        (index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    assert set(DOCS.rglob("*.md")) - {index} <= reached


def commands_shown() -> list[tuple[str, str]]:
    """Return every trialsim command of the pages with the page it is on."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```(?:console|sh)\n(.*?)```", text, re.DOTALL):
            for line in block.splitlines():
                for part in line.removeprefix("$ ").split(" && "):
                    words = part.strip()
                    if re.match(r"(\.venv/bin/)?trialsim ", words):
                        found.append((page.name, words))
        for words in re.findall(r"`((?:\.venv/bin/)?trialsim [a-z][^`]*)`", without_code(text)):
            found.append((page.name, words))
    return found


def test_every_command_shown_exists():
    group = get_command(app)
    shown = commands_shown()
    assert len(shown) > 10
    for page, text in shown:
        words = shlex.split(text.replace(".venv/bin/", ""))[1:]
        assert words[0] in group.commands, f"{page}: {text}"
        options = {option for param in group.commands[words[0]].params for option in param.opts}
        if words[0] == "formula" and words[1:2] != ["NAME"]:
            # A formula has options of its own.
            options |= {"--effect", *(one.option for word in words[1:2] for one in formula_source(word).arguments)}
        for word in words[1:]:
            if word.startswith("-"):
                assert word in options | {"--help", "-h"}, f"{page}: {text}"
            if word.startswith("scenarios/"):
                assert (ROOT / word).exists(), f"{page}: {text}"


BASE = """
schema: 1
title: A scenario that the examples are put on
population: {strata: {bpd: {share: 0.5}, no_bpd: {share: 0.5}}}
outcomes: {qids_sr16: {}, madrs: {}}
schedule: {infusions: [0, 3, 7, 10], visits: [14, 84, 140]}
arms:
  midazolam: {infusion: midazolam}
  control: {infusion: midazolam}
  ketamine: {infusion: ketamine}
  midazolam_dbt: {infusion: midazolam, therapy: dbt}
  ketamine_dbt: {infusion: ketamine, therapy: dbt}
  dbt: {infusion: midazolam, therapy: dbt}
effects:
  ketamine: {points: {qids_sr16: -2, madrs: -3}}
  ketamine_dbt: {points: {qids_sr16: -2, madrs: -3}}
therapies: {dbt: {}}
course: {infusion_model: {}}
dropout: {missing_by: {140: 0.2}}
estimands: {primary: {outcome: qids_sr16, visit: 14, contrast: [ketamine, midazolam]}}
sample_size: 100
"""
BSL23 = {"outcome": "bsl23", "visit": 14, "contrast": ["ketamine", "midazolam"]}
WITH_BSL23 = {
    "outcomes": {"bsl23": {}},
    "effects": {arm: {"points": {"bsl23": -0.2}} for arm in ("ketamine", "ketamine_dbt")},
    "estimands": {"bsl23": BSL23, "remission": BSL23},
}


def together(one: Any, other: Any) -> Any:
    """Return two mappings as one, the second going first where they differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: together(one.get(key), value) for key, value in other.items()}}
    return other


def scenario_parts() -> list[Any]:
    pages = sorted((DOCS / "concepts").glob("*.md"))
    return [
        pytest.param(page.name, block, id=f"{page.stem}-{number}")
        for page in pages
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    ]


@pytest.mark.parametrize(("page", "block"), scenario_parts())
def test_parts_of_scenarios_are_sound(page, block, tmp_path):
    """Every YAML example of the concepts, put on a scenario that has what it speaks of, has numbers for everything."""
    whole = yaml.safe_load(BASE)
    example = yaml.safe_load(block)
    if page in ("hypotheses.md", "effects.md"):
        whole = together(whole, WITH_BSL23)
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(together(whole, example), sort_keys=False), encoding="utf-8")
    assert resolve(load(file)).variants


def test_the_python_example_runs(folder, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(import trialsim.*?)```", (DOCS / "python.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/python.md", "exec"), names)  # noqa: S102 - it is this project's own page
    by_hand = names["fit"].contrast(arm=("ketamine", "midazolam"), day=14)
    stored = names["result"].estimates()
    row = stored[(stored["n"] == 160) & (stored["replicate"] == 0)].iloc[0]
    for name in ("estimate", "se", "df", "p"):
        assert by_hand[name] == pytest.approx(row[name], rel=1e-8)
    assert "coverage" in capsys.readouterr().out
    assert (folder / "power.png").stat().st_size > 1_000


def test_the_first_commands_stand_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    install = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && "
    assert f"{install}.venv/bin/trialsim run scenarios/followup_rct.yaml\n" in text
    assert "\n.venv/bin/pytest\n" in text


def test_the_picture_of_the_readme_is_that_of_the_first_command(tmp_path):
    run = simulated(ROOT / "scenarios" / "followup_rct.yaml", tmp_path / "run")
    primary = hypotheses(run.summary)[:1]
    now = power_curve_data(run.summary, chosen=primary, labels=labels_of(run.manifest["scenario"]))
    drawn = pd.read_csv(DOCS / "images" / "power_curves.csv")
    pd.testing.assert_frame_equal(drawn, now, check_dtype=False, check_exact=False, rtol=1e-12)
    assert f"{run.manifest['replicates']} simulated trials per point" in (ROOT / "README.md").read_text("utf-8")
