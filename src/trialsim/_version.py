"""The version, said once, and when this process loaded it."""

from time import time

__version__ = "0.1.0"

LOADED_AT = time()
"""Seconds since the epoch; a source file that is younger may be another one than that which runs here."""
