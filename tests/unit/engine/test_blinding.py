"""Guesses of a run: stored by unit, summed up by cell and arm, the same however the run was carried out."""

import numpy as np
import pandas as pd
import pytest

from trials import BOUNDED, resolve, simulated, write
from trialsim.engine.block import compute_block, draw_block
from trialsim.streams import Streams

SMALL = {
    "outcomes": {"qids_sr16": {}},
    "analysis": {"primary": {"method": "ancova"}},
    "unblinding": {"expectancy": {"qids_sr16": 2.0}},
    "vary": {"unblinding.guess": ["perfect", "saline"]},
    "estimands.primary.expectancy": "excluded",
}


def test_tables_count_the_guesses_of_those_in_the_trial():
    resolved = resolve(BOUNDED, {**SMALL, "vary": None})
    variant = resolved.variants[0]
    blocks = compute_block(variant, resolved.hash, resolved.seed, 0)
    cohort = draw_block(variant, resolved.hash, Streams(resolved.seed, 0), 60)
    for block in blocks:
        for r in (0, 249):
            guess, arm = cohort.records["guess"][r, : block.n], cohort.arm[r, : block.n]
            expected = [[np.sum(guess[arm == a] == said) for said in (1, 0)] for a in range(2)]
            np.testing.assert_array_equal(block.guesses[r], expected)
            assert block.guesses[r].sum() == block.n


def test_without_guesses_there_is_no_table_and_no_file(tmp_path):
    resolved = resolve(BOUNDED, {"dissociation": {}, "outcomes": {"qids_sr16": {}}})
    assert compute_block(resolved.variants[0], resolved.hash, resolved.seed, 0)[0].guesses is None
    path = write(tmp_path, BOUNDED, {"outcomes": {"qids_sr16": {}}, "analysis": {"primary": {"method": "ancova"}}})
    simulated(path, tmp_path / "run", **{"simulation.replicates": 4})
    assert not list((tmp_path / "run").glob("blinding.*"))
    assert not list((tmp_path / "run" / "parts").glob("*.npy"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blinding")
    simulated(write(folder, BOUNDED, SMALL), folder / "run", **{"simulation.replicates": 260})
    return folder / "run"


def test_the_summary_has_a_row_for_every_cell_and_arm(run):
    found = pd.read_parquet(run / "blinding.parquet")
    assert list(found.columns) == [
        "cell", "variant", "unblinding.guess", "n", "arm", "active", "replicates", "says_active", "says_active_mcse",
        "bang", "bang_mcse", "james", "james_mcse",
    ]  # fmt: skip
    assert found[["cell", "n", "arm"]].values.tolist() == [
        [cell, n, arm] for cell, n in enumerate((40, 60, 40, 60)) for arm in ("midazolam", "ketamine")
    ]
    assert (found["replicates"] == 260).all()
    pd.testing.assert_frame_equal(pd.read_csv(run / "blinding.csv"), found, check_dtype=False)


def test_shares_and_indices_are_means_over_replicates(run):
    """By hand from the stored tables of the last cell: masked like saline, 60 patients."""
    paths = [next((run / "parts").glob(f"guesses_variant0001_block{block:06d}_*.npy")) for block in range(2)]
    tables = np.concatenate([np.load(path)[1] for path in paths])[:260].astype(float)
    found = pd.read_parquet(run / "blinding.parquet").iloc[-2:]
    share = tables[..., 0] / tables.sum(axis=2)
    np.testing.assert_allclose(found["says_active"], share.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found["says_active_mcse"], share.std(axis=0, ddof=1) / np.sqrt(260), rtol=1e-12)
    right = np.array([1 - share[:, 0], share[:, 1]])
    np.testing.assert_allclose(found["bang"], (2 * right - 1).mean(axis=1), rtol=1e-12)
    wrong = tables[:, 0, 0] + tables[:, 1, 1]
    n = tables.sum(axis=(1, 2))
    arm, said = tables.sum(axis=2) / n[:, None], tables.sum(axis=1) / n[:, None]
    chance = arm[:, 1] * said[:, 1] + arm[:, 0] * said[:, 0]
    np.testing.assert_allclose(found["james"], np.mean(wrong / n / chance / 2), rtol=1e-12)


def test_more_replicates_later_give_the_same_file(run, tmp_path):
    path = write(tmp_path, BOUNDED, SMALL)
    simulated(path, tmp_path / "run", **{"simulation.replicates": 100})
    simulated(path, tmp_path / "run", **{"simulation.replicates": 260})
    assert (tmp_path / "run" / "blinding.csv").read_bytes() == (run / "blinding.csv").read_bytes()


def test_an_arm_without_guesses_has_no_index():
    from trialsim.engine.blinding import _bang, _measured, _share

    counts = np.array([[0.0, 0.0], [3.0, 1.0]])
    assert np.isnan(_share(counts)[0])
    assert _measured(_bang(counts, active=True)).value == 0.5
    assert np.isnan(_measured(_share(counts[:1])).value)
