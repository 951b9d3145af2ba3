"""Designs held against each other on the same virtual patients."""

from __future__ import annotations

from trialsim.planning.comparison.comparison import Comparison, Request, compare
from trialsim.planning.comparison.contenders import Contender, Prepared, prepare

__all__ = ["Comparison", "Contender", "Prepared", "Request", "compare", "prepare"]
