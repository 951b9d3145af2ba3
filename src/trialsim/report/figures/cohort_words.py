"""The groups of a cohort, by stratum and arm, with the words for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.patients.cohort import Cohort
from trialsim.scenario import Variant


def groups_of(variant: Variant, trial: Cohort) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
    """Return names and labels of each stratum and arm, and who of the one replicate is in both, shape (N,)."""
    for s, stratum in enumerate(variant.strata):
        for a, arm in enumerate(variant.arms):
            words = {
                "stratum": stratum,
                "stratum_label": variant.strata_labels[s],
                "arm": arm,
                "arm_label": variant.arm_labels[a],
            }
            yield words, (trial.stratum[0] == s) & (trial.arm[0] == a)


def labelled(frame: pd.DataFrame, column: str) -> dict[Any, str]:
    """Return the names in a column and their labels, in order of appearance."""
    pairs = frame[[column, f"{column}_label"]].drop_duplicates()
    return dict(zip(pairs[column], pairs[f"{column}_label"].astype(str), strict=True))
