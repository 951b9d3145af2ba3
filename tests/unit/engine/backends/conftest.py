"""One scheduler for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schedulers import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A scheduler with two workers, which nannies start again when they are killed."""
    with Cluster() as running:
        for _ in range(2):
            running.add_worker()
        yield running
