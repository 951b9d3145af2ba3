"""Where units of work run: in this process, in worker processes of this machine, or on a Dask cluster.

Every process holds the linear algebra to one thread, so that sums are taken in the same order and results are the
same bytes wherever and in whatever order units are computed. A unit whose worker died is computed again.
"""

from trialsim.engine.backends.cluster import run_on_cluster
from trialsim.engine.backends.local import available_workers, run_units

__all__ = ["available_workers", "run_on_cluster", "run_units"]
