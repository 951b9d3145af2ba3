"""Comparing our numbers with those of other software, and keeping what was compared for docs/validation.md.

A test says what it compares with once, and then compares:

    GLM = Reference("Logistic regression", release(FOLDER / "b1_n200.json", "stats"))
    GLM.close("b1_n200: arm", "SE", expected["se"], fit.se, relative=1e-8)

Every comparison asserts; the test fails where a number is further off than allowed. It is noted too, in the unit in
which its allowance is given. As a pytest plugin (`-p oracle.comparison`) this module writes the notes of each process
into the folder named by TRIALSIM_COMPARISONS; `python docs/generate.py validation.md` makes the page of them.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER_VARIABLE = "TRIALSIM_COMPARISONS"


@dataclass
class Comparison:
    """Numbers of one quantity of one case compared in one test; `theirs` and `ours` are the first of them."""

    test: str
    kind: str
    source: str
    case: str
    quantity: str
    allowed: str
    allowance: float
    numbers: int
    theirs: float
    ours: float
    difference: float  # the largest, in the unit of the allowance


NOTED: dict[tuple[str, ...], Comparison] = {}


@dataclass(frozen=True)
class Reference:
    """What is compared (`kind`) and the software, with versions, that gave the expected numbers (`source`).

    Of a case such as "mm01: ar1, REML" the words before the colon are the data set.
    """

    kind: str
    source: str

    def close(
        self,
        case: str,
        quantity: str,
        theirs: Any,
        ours: Any,
        *,
        relative: float = 0.0,
        absolute: float = 0.0,
        unit: tuple[str, Any] = ("", 1.0),
        undefined: bool = False,
    ) -> None:
        """Assert that each number is within `relative` of theirs or within `absolute` units, whichever allows more.

        `unit` is the name and the size of the unit of `absolute`, such as ("SE", 0.7). With `undefined`, a number that
        neither side has (NaN) agrees. Without an allowance the numbers must be equal.
        """
        theirs, ours = numbers_of(theirs), numbers_of(ours)
        assert theirs.shape == ours.shape, f"{self.kind}: {case}: {quantity}: {ours.shape} for {theirs.shape}"
        same = (theirs == ours) | (undefined & np.isnan(theirs) & np.isnan(ours))
        scale = np.asarray(unit[1], dtype=float)
        text = _allowed(relative, absolute, unit[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.where(same, 0.0, np.abs(ours - theirs))
            size = np.maximum(np.abs(theirs), absolute * scale / relative) if relative else scale
            difference = np.where(same, 0.0, gap / size)
            tolerance = np.maximum(relative * np.abs(theirs), absolute * scale)
            off = ~(same | (np.isfinite(gap) & (gap <= tolerance)))
        self._note(case, quantity, text, relative or absolute, theirs, ours, difference)
        assert not off.any(), (
            f"{self.kind}: {case}: {quantity}: ours {ours[off][:3]}, theirs {theirs[off][:3]}, allowed {text}"
        )

    def same(self, case: str, quantity: str, theirs: Any, ours: Any, *, undefined: bool = False) -> None:
        """Assert that all are equal: counts, decisions, limits that are data."""
        self.close(case, quantity, theirs, ours, undefined=undefined)

    def at_most(self, case: str, quantity: str, theirs: Any, ours: Any, *, slack: float) -> None:
        """Assert that ours are not above theirs by more than `slack`, as for a −2 log-likelihood."""
        theirs, ours = numbers_of(theirs), numbers_of(ours)
        assert theirs.shape == ours.shape, f"{self.kind}: {case}: {quantity}: {ours.shape} for {theirs.shape}"
        self._note(case, quantity, f"{_short(slack)} above", slack, theirs, ours, np.maximum(ours - theirs, 0.0))
        assert np.all(ours <= theirs + slack), f"{self.kind}: {case}: {quantity}: ours {ours}, theirs {theirs}"

    def _note(
        self, case: str, quantity: str, text: str, allowance: float, theirs: Any, ours: Any, difference: Any
    ) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
        key = (test, self.kind, self.source, case, quantity, text)
        largest = float(difference.max(initial=0.0))
        if key in NOTED:
            NOTED[key].numbers += theirs.size
            NOTED[key].difference = max(NOTED[key].difference, largest)
        elif theirs.size:
            first = (float(theirs.flat[0]), float(ours.flat[0]))
            NOTED[key] = Comparison(*key, allowance, theirs.size, *first, largest)


def numbers_of(values: Any) -> Any:
    """Return values as an array of floats; None, R's "not defined", is not a number that can be compared."""
    array = np.asarray(values)
    assert array.dtype != object, f"not numbers: {values}"
    return array.astype(float)


@functools.cache
def release(path: Path, *packages: str, base: str = "stats") -> str:
    """Return the packages with their versions and that of R, as a reference file names them."""
    versions = json.loads(path.read_text(encoding="utf-8"))["versions"]
    named = " and ".join(f"{package} {versions[package]}" for package in packages) or base
    return f"{named} (R {versions['R']})"


def _allowed(relative: float, absolute: float, unit: str) -> str:
    floor = f"{_short(absolute)} {unit}".strip()
    if relative:
        return f"{_short(relative)} relative" + (f" or {floor}" if absolute else "")
    return floor if absolute else "equal"


def _short(number: float) -> str:
    """Return 1e-9 where Python writes 1e-09."""
    return f"{number:g}".replace("e-0", "e-")


def pytest_sessionfinish() -> None:
    """Write what this process compared, where a folder for it is named."""
    if NOTED and (folder := os.environ.get(FOLDER_VARIABLE)):
        path = Path(folder) / f"{os.getpid()}.json"
        path.write_text(json.dumps([asdict(note) for note in NOTED.values()]), encoding="utf-8")
