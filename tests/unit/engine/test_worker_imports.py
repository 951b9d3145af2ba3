"""A worker process loads what computes, not what reads scenarios: it starts the sooner."""

import subprocess
import sys

CODE = """
import sys
import trialsim.engine.work
print(*sorted({'pydantic', 'pandas', 'matplotlib', 'typer', 'simpy'} & set(sys.modules)))
"""


def test_a_worker_loads_no_reader_of_scenarios_and_no_tables():
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert told.strip() == ""
