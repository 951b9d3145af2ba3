"""Predictability of permuted blocks.

References
----------
Blackwell D, Hodges JL (1957). Design for the control of selection bias. Annals of Mathematical Statistics 28:449-460.
"""

from __future__ import annotations

import math

from trialsim.planning.formulas.checks import refuse


def share_guessed(block_size: int) -> float:
    """Return the share of allocations guessed right by who always guesses the arm that lags behind in the block.

    Parameters
    ----------
    block_size : int
        Size of the permuted blocks of two arms 1:1, even and at least 2, known to the guesser, as are all earlier
        allocations.

    Returns
    -------
    float
        ½ + (2^{2m} / C(2m, m) − 1) / (4m), m half the block size: the expected bias is that of Blackwell & Hodges
        (1957).

    Raises
    ------
    InputError
        If the block size is odd or below 2.
    """
    if block_size < 2 or block_size % 2:
        refuse("block_size", f"must be even and at least 2, not {block_size}")
    half = block_size // 2
    return 0.5 + (2.0**block_size / math.comb(block_size, half) - 1.0) / (2.0 * block_size)
