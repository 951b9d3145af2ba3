"""Write the generated pages of the documentation, or check that they are up to date.

    python docs/generate.py              write all pages
    python docs/generate.py cli.md       write this one
    python docs/generate.py --check      write nothing; exit 1 and name the pages that are stale
    python docs/generate.py --check --without-runs     the same, with the output of `trialsim run` taken as it is
    python docs/generate.py --picture    draw docs/images/power_curves.png from a run of scenarios/followup_rct.yaml

Generated are cli.md, scenario_reference.md, evidence.md, python.md, validation.md and data_dictionary.md, the output in
the ```console blocks of tutorial.md and of the project's README, and that of the Python in analysing_real_data.md and
concepts/analysis_kernels.md. The picture is not compared, because its bytes depend on the version of matplotlib.
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
    python_blocks,
    python_page,
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
    "data_dictionary.md": dictionary_page.page,
}
"""Pages made whole, by file name."""

REFRESHED = ("tutorial.md", "../README.md")
"""Pages written by hand whose console output is made."""

EXECUTED = ("analysing_real_data.md", "concepts/analysis_kernels.md")
"""Pages written by hand whose Python is run."""

PAGES = (*WRITTEN, *REFRESHED, *EXECUTED)

FITTED = ("validation.md", *EXECUTED)
"""Pages of fitted numbers, whose rounding may differ between machines."""


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
        Whether `trialsim run` is run too where a page shows its output; it is what takes time.
    """
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
    path = path_of(name)
    if not path.exists():
        return True
    there, wanted = path.read_text(encoding="utf-8"), content(name, runs=runs)
    return not _same(there, wanted) if name in FITTED else there != wanted


def _same(one: str, other: str) -> bool:
    """Whether two pages agree but for rounding: fitted numbers to 1e-5, and how small their differences are."""
    parts = [re.split(r"(-?\d+\.\d+(?:e-?\d+)?)", re.sub(r"< 1e-\d+", "< rounding", text)) for text in (one, other)]
    if len(parts[0]) != len(parts[1]) or parts[0][::2] != parts[1][::2]:
        return False
    numbers = zip(parts[0][1::2], parts[1][1::2], strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-5) for a, b in numbers)


def draw_picture() -> Path:
    """Draw the picture of the README from a run of the main scenario."""
    from trialsim import api

    target = DOCS / "images" / "power_curves.png"
    with tempfile.TemporaryDirectory() as folder:
        run = api.run(DOCS.parent / "scenarios" / "followup_rct.yaml", out=Path(folder) / "run")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(run.folder / "figures" / "power_curves.png", target)
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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
