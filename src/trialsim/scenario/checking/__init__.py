"""What the parts of a scenario must mean together; every check reports, none stops the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.errors import Fault
from trialsim.scenario.checking import (
    analyses,
    design,
    entry,
    events,
    masking,
    mechanisms,
    operations,
    priors,
    questions,
    safety,
    truth,
    variation,
)
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.document import Node

_CHECKS = (
    *truth.CHECKS,
    *mechanisms.CHECKS,
    *variation.CHECKS,
    *entry.CHECKS,
    *masking.CHECKS,
    *design.CHECKS,
    *questions.CHECKS,
    *events.CHECKS,
    *safety.CHECKS,
    *operations.CHECKS,
    *analyses.CHECKS,
    *priors.CHECKS,
)


def check_meaning(root: Node, parts: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Check references, sums and lengths.

    Parameters
    ----------
    root : Node
        The document, for the places of faults.
    parts : mapping of str to object
        The top-level parts that have the right shape; a check that needs another part is left out.
    """
    bench = Bench(root, parts)
    for check in _CHECKS:
        check(bench)
    return tuple(bench.faults)
