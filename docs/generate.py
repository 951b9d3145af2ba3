"""Write the generated pages of the documentation, or check that they are up to date.

    python docs/generate.py              write all pages
    python docs/generate.py cli.md       write this one
    python docs/generate.py --check      write nothing; exit 1 and name the pages that are stale
    python docs/generate.py --check --without-runs     the same, with what is simulated taken as it is: the output
                                                       of `trialsim run` and `compare`, and the levels
    python docs/generate.py --picture    draw docs/images/power_curves.png from a run of scenarios/followup_rct.yaml

Generated are cli.md, scenario_reference.md, evidence.md, python.md, validation.md with validation.csv, type_i_error.md,
reliability.md and data_dictionary.md, the output in the ```console blocks of tutorial.md, concepts/replay.md and the
project's README, and that of the Python in analysing_real_data.md, concepts/analysis_kernels.md and
concepts/closed_forms.md. validation.md runs the oracle tests, about a minute; type_i_error.md simulates for another;
data_dictionary.md makes small runs, a quarter of one. The picture is not compared, because its bytes depend on the
version of matplotlib; tests compare the numbers that it was drawn from.
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generators import (  # noqa: E402
    cli_page,
    console,
    dictionary_page,
    levels_page,
    python_blocks,
    python_page,
    reliability_page,
    scenario_page,
    validation_page,
)

NOTICE = "<!-- This page is generated: python docs/generate.py -->\n"


def _evidence() -> str:
    from trialsim import evidence

    return evidence.markdown()


WRITTEN: dict[str, Callable[[], str]] = {
    "cli.md": cli_page.page,
    "scenario_reference.md": scenario_page.page,
    "evidence.md": _evidence,
    "python.md": python_page.page,
    "validation.md": validation_page.page,
    "type_i_error.md": levels_page.page,
    "data_dictionary.md": dictionary_page.page,
    "reliability.md": reliability_page.page,
}
"""Pages made whole, by file name."""

TABLES: dict[str, tuple[str, Callable[[], str]]] = {"validation.md": ("validation.csv", validation_page.table)}
"""Data files made with a page, by the page's name."""

SIMULATED = {"type_i_error.md": levels_page.page_with_levels_of}
"""Pages made whole whose numbers take a simulation; without it they are taken from the page that is there."""

REFRESHED = ("tutorial.md", "../README.md", "concepts/replay.md")
"""Pages written by hand whose console output is made."""

EXECUTED = ("analysing_real_data.md", "concepts/analysis_kernels.md", "concepts/closed_forms.md")
"""Pages written by hand whose Python is run."""

PAGES = (*WRITTEN, *REFRESHED, *EXECUTED)

ROUNDING = {name: (1e-5, 1e-9) for name in ("validation.md", *EXECUTED)} | {"type_i_error.md": (0.0, 2.1e-4)}
"""How far numbers may differ between machines, relative or absolute: fits by rounding, levels by a p-value at .05."""


def path_of(name: str) -> Path:
    """Return where a page is."""
    return (DOCS / name).resolve()


def content(name: str, *, runs: bool = True) -> str:
    """Return a page as it should be.

    Parameters
    ----------
    name : str
        One of `PAGES`.
    runs : bool
        Whether to run `trialsim run` too where a page shows its output, and to simulate levels; they take time.
    """
    if name in SIMULATED and not runs:
        return NOTICE + SIMULATED[name](path_of(name).read_text(encoding="utf-8")).rstrip() + "\n"
    if name in WRITTEN:
        return NOTICE + WRITTEN[name]().rstrip() + "\n"
    text = path_of(name).read_text(encoding="utf-8")
    return python_blocks.refreshed(text) if name in EXECUTED else console.refreshed(text, runs=runs)


def is_stale(name: str, *, runs: bool = True) -> bool:
    """Return whether a page differs from what it should be, rounding of fitted numbers left aside.

    Parameters
    ----------
    name : str
    runs : bool
        As for `content`.
    """
    if not path_of(name).exists():
        return True
    wanted = {path_of(name): content(name, runs=runs)}
    if name in TABLES:
        file, table = TABLES[name]
        wanted[path_of(file)] = table()
    return not all(path.exists() and _same(path.read_text("utf-8"), text, name) for path, text in wanted.items())


def _same(one: str, other: str, name: str) -> bool:
    """Whether two versions of a page agree but for rounding: of its numbers, and of how small differences are."""
    if name not in ROUNDING:
        return one == other
    relative, absolute = ROUNDING[name]
    parts = [re.split(r"(-?\d*\.?\d+(?:e[-+]?\d+)?)", re.sub(r"< 1(e-?\d+)?", "< ", text)) for text in (one, other)]
    if len(parts[0]) != len(parts[1]) or parts[0][::2] != parts[1][::2]:
        return False
    numbers = zip(parts[0][1::2], parts[1][1::2], strict=True)
    return all(a == b or math.isclose(float(a), float(b), rel_tol=relative, abs_tol=absolute) for a, b in numbers)


def draw_picture() -> Path:
    """Draw the picture of the README from a run of the main scenario; its data stand beside it, where tests find it."""
    from trialsim import api

    target = DOCS / "images" / "power_curves.png"
    with tempfile.TemporaryDirectory() as folder:
        run = api.run(DOCS.parent / "scenarios" / "followup_rct.yaml", out=Path(folder) / "run")
        target.parent.mkdir(exist_ok=True)
        for ending in (".png", ".csv"):
            shutil.copyfile(run.folder / "figures" / f"power_curves{ending}", target.with_suffix(ending))
    return target


def main() -> int:
    """Write or check pages; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated pages, or check them.")
    parser.add_argument("pages", nargs="*", choices=[[], *PAGES], help="default: all")
    parser.add_argument("--check", action="store_true", help="write nothing and name the stale pages")
    parser.add_argument("--without-runs", action="store_true", help="take the output of `trialsim run` as it is")
    parser.add_argument("--picture", action="store_true", help="draw the picture instead")
    given = parser.parse_args()
    if given.picture:
        print(f"Drew {draw_picture()}")
        return 0
    names = given.pages or PAGES
    if given.check:
        stale = [name for name in names if is_stale(name, runs=not given.without_runs)]
        for name in stale:
            print(f"{name} is stale: run python docs/generate.py {name}", file=sys.stderr)
        return 1 if stale else 0
    for name in names:
        path_of(name).write_text(content(name, runs=not given.without_runs), encoding="utf-8", newline="\n")
        print(f"Wrote {name}")
        if name in TABLES:
            file, table = TABLES[name]
            path_of(file).write_text(table(), encoding="utf-8", newline="\n")
            print(f"Wrote {file}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
