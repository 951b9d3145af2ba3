"""Pure array computations on NumPy and SciPy (special, linalg, optimize); import the module that you need.

Modules that resolving a scenario takes name SciPy's functions where they are used (`scipy.special.ndtri`): its parts
are loaded by the first use, and a finished run is shown without any.
"""
