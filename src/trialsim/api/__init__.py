"""What Python users import: load a scenario, run it, look at its patients and results."""

from trialsim.api.cohorts import cohort
from trialsim.api.runs import Run, load, open_run, run

__all__ = ["Run", "cohort", "load", "open_run", "run"]
