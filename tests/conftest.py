"""What holds for all tests: property tests try the same examples every time, and no true value outlives its test."""

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")

os.environ["TRIALSIM_CACHE_DIR"] = "off"  # also in the processes that tests start
