"""Pure array computations on NumPy and SciPy (special, linalg, optimize); import the module that you need."""
