"""A search split over the workers of a scheduler, one of which is killed."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from cryoweave.bench.executors import spread_over
from cryoweave.errors import InputError
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.search import Target, Template, rotational_search

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit=None, dashboard_address=None
    ) as found:
        yield found


def inputs():
    rng = np.random.default_rng(0)
    template = np.zeros((1, 12, 12, 12), np.float32)
    template[:, 2:-2, 2:-2, 2:-2] = rng.normal(size=(1, 8, 8, 8))
    target = Target(rng.normal(size=(1, 48, 48, 48)).astype(np.float32), (1.0,) * 3)
    return target, Template(template, (1.0,) * 3, (5.5,) * 3), "cosine", random_rotations(1500, 1)


def test_a_search_over_workers_gives_the_same_though_one_is_killed(cluster):
    one = rotational_search(*inputs())
    killed = []

    def kill_one(_done, _total):
        if not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with spread_over(cluster.scheduler_address) as spread:
        split = rotational_search(*inputs(), kill_one, spread)
    assert killed
    for part in one._fields:
        np.testing.assert_array_equal(getattr(split, part), getattr(one, part), err_msg=part)


def test_a_run_gives_the_same_poses_over_workers(cluster, shared, tmp_path):
    """By the command line, on a real map."""
    model, density = shared / "fitting_tasks/actin/model.pdb.gz", shared / "maps/emd5168_actin/emd_5168.map.gz"
    command = [sys.executable, "-c", "from cryoweave.cli.main import main; main()", "fit", model, "-v", density]
    command += ["-d", "6.6", "-m", "vesper", "--angle-step", "30", "-q"]
    found = {}
    for name, more in (("here", []), ("there", ["--workers", cluster.scheduler_address])):
        subprocess.run([*map(str, command), "-o", str(tmp_path / name), *more], check=True, timeout=240)
        found[name] = (tmp_path / name / "poses.tsv").read_text()
    assert found["there"] == found["here"]


def test_no_scheduler_and_no_workers_are_told():
    with pytest.raises(InputError, match="no scheduler answers"), spread_over("nowhere"):
        pass
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(InputError, match="has no workers"),
        spread_over(empty.scheduler_address),
    ):
        pass
