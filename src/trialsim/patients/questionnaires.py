"""The items of a cohort's questionnaires, each patient's at one visit, with draws of their own.

The draws of a patient's profile are the same at every visit, so that who sleeps badly does so again. Another visit,
outcome, participant or simulated trial moves nobody else's, and nobody's score depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.patients.items import (
    BSL23_PROFILE,
    BSL23_UNIFORMS,
    QIDS_DOMAINS,
    QIDS_PROFILE,
    QIDS_UNIFORMS,
    bsl23_items,
    qids_domains,
    qids_items,
)
from trialsim.streams import BLOCK_SIZE, Streams

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


class Questionnaire(NamedTuple):
    """How a score is shared among items.

    Attributes
    ----------
    columns : tuple of str
        What `share` returns, by name.
    share : callable
        From scores (P,), uniform numbers (P, `uniforms`) and scores of parts (P,) that are known, by name, to whole
        numbers (P, len(columns)).
    profile, uniforms : int
        Uniform numbers of the profile, the first ones, and in all.
    parts : tuple of str
        Instruments that are items of it.
    """

    columns: tuple[str, ...]
    share: Callable[[ArrayLike, Array, Mapping[str, Array]], Whole]
    profile: int
    uniforms: int
    parts: tuple[str, ...] = ()


def _qids(total: ArrayLike, uniforms: Array, parts: Mapping[str, Array]) -> Whole:
    items = qids_items(total, uniforms, parts.get("qids_si"))
    return np.concatenate([items, qids_domains(items)], axis=-1).astype(np.int64)


def _bsl23(score: ArrayLike, uniforms: Array, _: Mapping[str, Array]) -> Whole:
    return bsl23_items(score, uniforms).astype(np.int64)


QUESTIONNAIRES = {
    "qids_sr16": Questionnaire(
        (*(f"item_{i}" for i in range(1, 17)), *(f"domain_{name}" for name in QIDS_DOMAINS)),
        _qids,
        QIDS_PROFILE,
        QIDS_UNIFORMS,
        ("qids_si",),
    ),
    "bsl23": Questionnaire(
        tuple(f"item_{i}" for i in range(1, BSL23_PROFILE + 1)), _bsl23, BSL23_PROFILE, BSL23_UNIFORMS
    ),
}
"""Questionnaires whose items can be drawn, by the name of the instrument."""


def draw_items(
    instrument: str,
    scores: Array,
    seed: int,
    *,
    outcome: str,
    replicate: int,
    day: float,
    patients: NDArray[np.intp],
    parts: Mapping[str, Array] | None = None,
) -> Whole:
    """Return the items behind scores of one visit.

    Parameters
    ----------
    instrument : str
        One of `QUESTIONNAIRES`.
    scores : ndarray, shape (P,), points
        On the instrument's own steps.
    seed : int
        Of the scenario.
    outcome : str
        Name of the outcome in the scenario.
    replicate : int
        Which simulated trial.
    day : float
        Of the visit; 0 is the baseline.
    patients : ndarray of int, shape (P,)
        Position of each in the trial, from 0; one may be there several times.
    parts : mapping of str to ndarray, shape (P,), optional
        Scores that are known of the questionnaire's `parts`, NaN where one is not.

    Returns
    -------
    ndarray of int, shape (P, columns of the questionnaire)
    """
    questionnaire = QUESTIONNAIRES[instrument]
    block, row = divmod(replicate, BLOCK_SIZE)
    streams = Streams(seed, block)
    size = int(patients.max(initial=-1)) + 1
    drawn = [
        streams.generator("items", outcome, f"{place}, trial {row}").random((size, count))
        for place, count in (
            ("profile", questionnaire.profile),
            (f"day {day:g}", questionnaire.uniforms - questionnaire.profile),
        )
    ]
    return questionnaire.share(scores, np.concatenate(drawn, axis=-1)[patients], parts or {})
