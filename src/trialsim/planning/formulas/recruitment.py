"""Recruitment: how many participants come, and how long it takes, by the Poisson-gamma model.

References
----------
Anisimov VV, Fedorov VV (2007). Modelling, prediction and adaptive adjustment of recruitment in multicentre trials.
Statistics in Medicine 26:4958-4975.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from trialsim.kernels.recruitment import at_least
from trialsim.planning.formulas.checks import inside, positive, refuse


@dataclass(frozen=True, slots=True)
class Recruitment:
    """How many participants all sites together recruit in a time.

    Each site recruits by a Poisson process whose rate is its own draw from a gamma distribution, so the total is
    negative binomial: size sites · shape, mean sites · mean rate · time. All sites are open from the start.

    Parameters
    ----------
    sites : int
        At least 1.
    mean_rate : float
        Mean of the sites' rates, in participants per unit of time.
    shape : float
        Shape of the gamma distribution of rates; infinite for rates all alike.
    time : float

    Raises
    ------
    InputError
        If a number is not above 0.
    """

    sites: int
    mean_rate: float
    shape: float
    time: float

    def __post_init__(self) -> None:
        """Refuse numbers that are not above 0."""
        positive(sites=self.sites, mean_rate=self.mean_rate, time=self.time)
        if not self.shape > 0.0:
            refuse("shape", f"must be above 0, not {self.shape}")

    @property
    def mean(self) -> float:
        """Return the expected number."""
        return self.sites * self.mean_rate * self.time

    @property
    def variance(self) -> float:
        """Return the variance, m + m²/(sites · shape)."""
        return self.mean + self.mean**2 / (self.sites * self.shape)

    def at_least(self, count: int) -> float:
        """Return the probability that at least `count` participants come."""
        return float(at_least(count, np.asarray(self.mean), np.asarray(self.sites * self.shape)))

    def quantile(self, probability: float) -> int:
        """Return the smallest number that is not exceeded with at least a probability in (0, 1)."""
        inside(0.0, 1.0, probability=probability)
        low, high = -1, 1
        while 1.0 - self.at_least(high + 1) < probability:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if 1.0 - self.at_least(middle + 1) < probability else (low, middle)
        return high


@dataclass(frozen=True, slots=True)
class WaitingTime:
    """Time until a number of participants has come at one constant rate: gamma.

    Parameters
    ----------
    count : int
        At least 1.
    rate : float
        Participants per unit of time, above 0.

    Raises
    ------
    InputError
        If a number is not above 0.
    """

    count: int
    rate: float

    def __post_init__(self) -> None:
        """Refuse numbers that are not above 0."""
        positive(count=self.count, rate=self.rate)

    @property
    def mean(self) -> float:
        """Return count / rate."""
        return self.count / self.rate

    @property
    def sd(self) -> float:
        """Return √count / rate."""
        return math.sqrt(self.count) / self.rate

    def quantile(self, probability: float) -> float:
        """Return the time by which all have come with a probability in (0, 1)."""
        inside(0.0, 1.0, probability=probability)
        return float(gammaincinv(self.count, probability)) / self.rate
