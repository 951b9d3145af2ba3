"""How well the arms stayed hidden: guesses and indices of blinding, cell by cell.

parts/guesses_variant0000_block000000_....npy   tables of guesses of whole blocks, (sizes, R, A, 2)
blinding.parquet, blinding.csv                  one row per cell and arm, where guesses are modelled
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.block import CellBlock
from trialsim.engine.plan import Cell
from trialsim.engine.reading import read_counts
from trialsim.kernels.blinding import ACTIVE, CONTROL, bang_index, james_index
from trialsim.kernels.montecarlo import NOT_ESTIMABLE, Measure
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]
Counts = NDArray[np.int32]


def guesses_content(blocks: Sequence[CellBlock]) -> bytes:
    """Return the guesses of one unit as a file of NumPy's.

    Parameters
    ----------
    blocks : sequence of CellBlock
        Ordered by size, with guesses.
    """
    by_size = {block.n: block.guesses for block in blocks if block.guesses is not None}
    content = BytesIO()
    np.save(content, np.stack(list(by_size.values())), allow_pickle=False)
    return content.getvalue()


def summarise_blinding(
    paths: Sequence[Path], variant: Variant, listed: Sequence[Cell], varied: tuple[str, ...], replicates: int
) -> Iterator[dict[str, Any]]:
    """Yield one row for each cell of a variant and each arm that guesses; none where guesses are not modelled.

    Parameters
    ----------
    paths : sequence of Path
        The guesses of the variant, block by block.
    variant : Variant
    listed : sequence of Cell
        Those of the variant, sizes rising.
    varied : tuple of str
        Paths that the scenario varies; a column each.
    replicates : int
        Surplus replicates of the last block are left out.

    Notes
    -----
    Everybody who has had an infusion is asked, whether they stay or not. Shares and indices are means over replicates,
    with their Monte Carlo standard errors; replicates whose table does not define one are not in it. James' index takes
    all active arms against all control arms, and stands in every row of its cell.
    """
    model = variant.unblinding
    if model is None:
        return
    shape = (len(listed), BLOCK_SIZE, len(variant.arms), 2)
    tables = np.concatenate([read_counts(path, shape) for path in paths], axis=1)
    for cell, counts in zip(listed, tables[:, :replicates].astype(np.float64), strict=True):
        active = np.array(model.active)
        james = _measured(james_index(np.stack([counts[:, active].sum(1), counts[:, ~active].sum(1)], 1)).estimate)
        for a in np.flatnonzero(model.asked).tolist():
            yield {
                "cell": cell.index,
                "variant": variant.index,
                **{path: cell.settings.get(path) for path in varied},
                "n": cell.n,
                "arm": variant.arms[a],
                "active": bool(active[a]),
                "replicates": len(counts),
                **_columns("says_active", _measured(_share(counts[:, a]))),
                **_columns("bang", _measured(_bang(counts[:, a], active=bool(active[a])))),
                **_columns("james", james),
            }


def _share(counts: Array) -> Array:
    """Return the share of an arm that says active, shape (R,); NaN where nobody was asked."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts[:, ACTIVE] / counts.sum(axis=1))


def _bang(counts: Array, *, active: bool) -> Array:
    """Return Bang's index of one arm by replicate."""
    row = ACTIVE if active else CONTROL
    table = np.zeros((len(counts), 2, 2))
    table[:, row] = counts
    return bang_index(table).estimate[:, row]


def _measured(values: Array) -> Measure:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return NOT_ESTIMABLE
    spread = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Measure(float(known.mean()), spread / math.sqrt(len(known)))


def _columns(name: str, measure: Measure) -> dict[str, float]:
    return {name: measure.value, f"{name}_mcse": measure.mcse}
