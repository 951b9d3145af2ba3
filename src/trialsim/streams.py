"""Random streams with an address: one key, one array, whoever asks for it and in whatever order.

A draw is addressed by (scheme, seed, block, purpose, outcome, time). The address is hashed with
BLAKE2b into the key of a Philox generator, so a stream needs no parent and no counter: workers,
order, interruptions and extensions cannot move a draw. The scenario's cell is not part of the
address: cells and designs share their patients (common random numbers).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator

SCHEME = 1
"""Version of the address scheme; a change gives other draws for the same seed."""

BLOCK_SIZE = 250
"""Replicates in a block; blocks are always drawn and computed whole."""

PURPOSES = frozenset(
    {
        "stratum",
        "score",
        "allocation",
        "dropout",
        "never_starts",
        "calibration",
        "group",
        "group_size",
        "frailty",
        "count",
    }
    | {"missed", "heterogeneity", "group_effect", "attendance", "session", "therapy_stop", "severity", "rater", "event"}
    | {"screening", "run_in", "screened", "characteristic"}
    | {"dissociation", "guess"}
    | {"items", "adverse_event"}
    | {"prior"}
    | {"latin_hypercube", "permutation"}
    | {"arrival", "arrival_site", "site_rate", "site_opening", "funnel", "patience", "cancelled_session", "price"}
)
"""Every purpose for which something is drawn, registered once."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The random streams of one block of replicates.

    Parameters
    ----------
    seed : int
        The scenario's seed, 0 or more.
    block : int
        Index of the block, 0 or more; replicate `r` lives in block `r // BLOCK_SIZE`.
    """

    seed: int
    block: int

    def generator(self, purpose: str, outcome: str = "", time: str = "") -> Generator:
        """Return the generator at the start of one address.

        Parameters
        ----------
        purpose : str
            One of `PURPOSES`.
        outcome : str
            Name of the outcome or stratum the draw is for; empty where there is none.
        time : str
            Visit or infusion the draw is for, such as `day 14`; empty where there is none.

        Raises
        ------
        ValueError
            If the purpose is not registered.
        """
        from numpy.random import Generator, Philox

        if purpose not in PURPOSES:
            raise ValueError(f"purpose must be one of {sorted(PURPOSES)}; got {purpose!r}")
        address = "\x1f".join((str(SCHEME), str(self.seed), str(self.block), purpose, outcome, time))
        digest = hashlib.blake2b(address.encode(), digest_size=16, person=b"trialsim").digest()
        return Generator(Philox(key=int.from_bytes(digest, "little")))
