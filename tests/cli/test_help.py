"""Help: there for every command, quick, and without loading what computes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trialsim import __version__

COMMANDS = (
    "new",
    "validate",
    "explain",
    "run",
    "merge",
    "runs",
    "trial",
    "reproduce",
    "diff",
    "operations",
    "size",
    "assurance",
    "compare",
    "sensitivity",
    "formula",
    "cohort",
    "plot",
    "replay",
    "analyze",
    "evidence",
    "schema",
)
HEAVY = ("numpy", "pandas", "scipy", "matplotlib", "pyarrow", "joblib", "jinja2", "yaml", "simpy")

LOADED = """
import sys
sys.argv = ["trialsim", *{arguments!r}]
from trialsim.cli import main
try:
    main()
except SystemExit:
    pass
print("LOADED", *[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS), ["formula"], ["formula", "mmrm", "--help"]],
)
def test_help_loads_nothing_heavy(arguments):
    program = LOADED.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_help_names_every_command_in_a_line_that_is_not_cut(trialsim):
    lines = trialsim("--help").stdout.splitlines()
    shown = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]]
    assert shown == list(COMMANDS)
    assert not any(line.endswith("...") for line in lines[lines.index("Commands:") :])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_fits_the_screen_and_keeps_its_defaults(trialsim, name):
    text = trialsim(name, "--help").stdout
    assert text == trialsim(name, "-h").stdout
    assert max(map(len, text.splitlines())) <= 80
    if name == "run":
        assert "[default: outputs/<name of FILE>]" in " ".join(text.split())


def test_without_a_command_the_help_is_shown(trialsim):
    assert "Commands:" in "".join([(done := trialsim(code=2)).stdout, done.stderr])


def test_version(trialsim):
    assert trialsim("--version").stdout == f"trialsim {__version__}\n"


def test_python_m(folder):
    done = subprocess.run(
        [sys.executable, "-m", "trialsim", "--version"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"trialsim {__version__}\n"


def test_the_cli_itself_is_light():
    """Importing the program, commands and all, loads nothing that computes."""
    program = f"import sys, trialsim.cli.app; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "[]"
