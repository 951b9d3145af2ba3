"""Coverage-guided fuzzing of everything that reads a user's file; run by hand, outside CI.

    pip install atheris
    python tests/fuzz/readers.py scenario --seconds 3600 --work fuzz

An input may be read or be refused with one of trialsim's own errors. Whatever else happens is a find: it is written
into the folder `finds` with its traceback, one of each kind, and the search goes on. So are inputs that take longer
than five seconds. The names of the readers: scenario, data, manifest, part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
SLOW_SECONDS = 5.0

with atheris.instrument_imports(include=["trialsim", "yaml"]):
    import trialsim.api.trial_data
    import trialsim.engine.manifest
    import trialsim.engine.store
    import trialsim.scenario
    from trialsim.errors import TrialsimError


class Finds:
    """What went wrong, one input of each kind."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "finds"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.inputs = self.seen = 0

    def keep(self, data: bytes, kind: str, words: str) -> None:
        """Write an input down unless one of its kind was."""
        name = hashlib.sha256(kind.encode()).hexdigest()[:12]
        if not (self.folder / f"{name}.txt").exists():
            (self.folder / name).write_bytes(data)
            (self.folder / f"{name}.txt").write_text(f"{kind}\n\n{words}", encoding="utf-8", errors="replace")
        self.seen += 1


def read_scenario(work: Path) -> Callable[[bytes], object]:
    """Return a reader of scenario files: loaded, and its numbers found."""
    place = work / "s.yaml"

    def read(data: bytes) -> object:
        place.write_bytes(data)
        return trialsim.scenario.resolve(trialsim.scenario.load(place))

    return read


def read_data(work: Path) -> Callable[[bytes], object]:
    """Return a reader of a real trial's data."""
    place = work / "d.csv"
    loaded = trialsim.scenario.load(ROOT / "scenarios" / "self_harm.yaml")
    variant = trialsim.scenario.resolve(loaded.at_base()).variants[0]

    def read(data: bytes) -> object:
        place.write_bytes(data)
        return trialsim.api.trial_data.read_trial(place, variant)

    return read


def read_manifest(work: Path) -> Callable[[bytes], object]:
    """Return a reader of run folders with a strange manifest."""
    folder = work / "run"
    loaded = trialsim.scenario.load(ROOT / "scenarios" / "quick_start.yaml")
    manifest = trialsim.engine.manifest.build_manifest(trialsim.scenario.resolve(loaded), 250)
    folder.mkdir(exist_ok=True)

    def read(data: bytes) -> object:
        (folder / "manifest.json").write_bytes(data)
        return trialsim.engine.manifest.check_folder(folder, manifest)

    return read


READERS = {"scenario": read_scenario, "data": read_data, "manifest": read_manifest}


def seeds(reader: str, corpus: Path) -> None:
    """Lay sound files into the corpus, for the search to begin with."""
    corpus.mkdir(parents=True, exist_ok=True)
    scenarios = sorted((ROOT / "scenarios").glob("*.yaml"))
    if reader == "scenario":
        for path in scenarios:
            shutil.copy(path, corpus / path.name)
    elif reader == "data":
        frame = trialsim.api.cohort(trialsim.api.load(ROOT / "scenarios" / "self_harm.yaml"), n=8)
        (corpus / "cohort.csv").write_text(frame.to_csv(index=False), encoding="utf-8")
    else:
        loaded = trialsim.scenario.load(ROOT / "scenarios" / "quick_start.yaml")
        manifest = trialsim.engine.manifest.build_manifest(trialsim.scenario.resolve(loaded), 250)
        (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def main() -> None:
    """Search for as long as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=sorted(READERS))
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    corpus = options.work / "corpus"
    seeds(options.reader, corpus)
    finds = Finds(options.work)
    read = READERS[options.reader](options.work)
    warnings.simplefilter("error")
    started = time.monotonic()

    def try_one(data: bytes) -> None:
        finds.inputs += 1
        before = time.process_time()
        try:
            read(data)
        except TrialsimError as error:
            str(error)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if "trialsim" in f.filename]
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
            finds.keep(data, f"{type(error).__name__} at {place}", traceback.format_exc())
        taken = time.process_time() - before
        if taken > SLOW_SECONDS:
            finds.keep(data, f"slow: {len(str(int(taken)))} digits of seconds", f"{taken:.1f} s")
        if finds.inputs % 1000 == 0:
            told = {"inputs": finds.inputs, "finds": finds.seen, "seconds": round(time.monotonic() - started)}
            (options.work / "told.json").write_text(json.dumps(told), encoding="utf-8")

    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={options.seconds}",
            "-max_len=6000",
            "-timeout=300",
            "-rss_limit_mb=3000",
        ],
        try_one,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
