"""Decisions per second of the multiplicity kernels on one core."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.kernels.multiplicity import (
    bonferroni,
    closed_test,
    dunnett,
    dunnett_loadings,
    graph_test,
    hochberg,
    holm,
    hommel,
    parallel_gatekeeping_graph,
    successive_graph,
)

Array = NDArray[np.float64]
REPEATS = 15


def median_seconds(function: Callable[[], object]) -> float:
    """Return the median processor time of a call, after one to warm up: other work on the machine does not count."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(20230419)
    loadings = dunnett_loadings(50.0, np.array([50.0, 50.0, 50.0]))
    print(f"4 hypotheses (Dunnett: 3), one core, processor time, medians of {REPEATS}")
    print("decisions per second by size of block\n")
    sizes = (250, 1_000, 10_000)
    print(f"{'':40}" + "".join(f"{size:>14,}" for size in sizes))
    graph, gates = successive_graph(2), parallel_gatekeeping_graph(2, 2)
    by_p: dict[str, Callable[[Array], object]] = {
        "graph, successive pairs": lambda p: graph_test(p, graph, alpha=0.025),
        "graph, parallel gatekeeping": lambda p: graph_test(p, gates, alpha=0.025),
        "closed test, Bonferroni": lambda p: closed_test(p, graph),
        "closed test, Simes": lambda p: closed_test(p, graph, test="simes"),
        "Bonferroni": bonferroni,
        "Holm": holm,
        "Hochberg": hochberg,
        "Hommel": hommel,
    }
    by_t: dict[str, Callable[[Array], object]] = {
        "Dunnett, normal": lambda t: dunnett(t, loadings),
        "Dunnett, 196 df": lambda t: dunnett(t, loadings, df=196.0),
    }
    blocks = [rng.normal(1.5, 1.0, (size, 1)) + rng.normal(0.5, 1.0, (size, 4)) for size in sizes]
    for name, function in by_p.items():
        seconds = [median_seconds(partial(function, ndtr(-z))) for z in blocks]
        print(f"{name:40}" + "".join(f"{len(z) / each:>14,.0f}" for z, each in zip(blocks, seconds, strict=True)))
    for name, function in by_t.items():
        print(f"{name:40}{sizes[0] / median_seconds(partial(function, blocks[0][:, :3])):>14,.0f}")


if __name__ == "__main__":
    main()
