"""SimPy is loaded when a clinic is run, and calendars do not depend on the process."""

import hashlib
import subprocess
import sys

import clinics

CODE = """
import hashlib, sys
import trialsim.operations.attend, trialsim.operations.recruit
import clinics
assert 'simpy' not in sys.modules
outcome = clinics.run(clinics.CROWDED, 12)
assert 'simpy' in sys.modules
parts = outcome.start_day, outcome.group, outcome.visit_day
print(hashlib.sha256(b''.join(part.tobytes() for part in parts)).hexdigest())
"""


def fingerprint(outcome):
    parts = outcome.start_day, outcome.group, outcome.visit_day
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_another_process_makes_the_same_calendar_and_loads_simpy_only_to_run_a_clinic(request):
    told = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": str(request.config.rootpath / "tests")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == f"{fingerprint(clinics.run(clinics.CROWDED, 12))}\n"
