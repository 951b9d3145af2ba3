"""The page about kernels: every function it names exists, and it says truly which analyses a scenario can name."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from trialsim.analysis.registry import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "analysis_kernels.md"
MODULES = (
    "binary",
    "counts",
    "imputation",
    "least_squares",
    "logistic",
    "mmrm",
    "multiplicity",
    "nested",
    "ranks",
    "robust",
    "survival",
    "two_sample",
)


def test_every_function_named_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(rf"`({'|'.join(MODULES)})\.(\w+)`", text)
    assert len(named) > 40
    assert {module for module, _ in named} == set(MODULES)
    for module, name in named:
        assert hasattr(import_module(f"trialsim.kernels.{module}"), name), f"{module}.{name}"


def test_the_methods_of_scenarios_are_told() -> None:
    assert set(re.findall(r"`method: (\w+)`", PAGE.read_text(encoding="utf-8"))) == set(METHODS)
