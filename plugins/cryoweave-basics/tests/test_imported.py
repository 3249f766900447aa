"""Probability maps of other programs, sound and hostile."""

import logging

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, NotGivenError, UsageError
from cryoweave.host import Context, registry
from cryoweave.io.maps import write_map
from cryoweave.testing import StageContract
from cryoweave_basics.imported import KNOWN, check, read
from cryoweave_basics.stages import ProbabilitiesParams

FRAME = Frame((6, 7, 8), (1.0, 1.0, 1.0), (10.0, -4.0, 3.5))
RNG = np.random.default_rng(0)


def written(path, values=None, frame=FRAME):
    values = RNG.random(frame.shape_zyx) * 0.2 if values is None else values
    write_map(path, DensityMap(np.asarray(values, np.float32), frame))
    return path


def fill(folder, *names, frame=FRAME):
    return {name: written(folder / name, frame=frame) for name in names}


def test_a_folder_of_classes(tmp_path):
    fill(tmp_path, "CA.mrc", "ala.map.gz", "helix.ccp4")
    (tmp_path / "notes.txt").write_text("CA")
    maps = run_stage("map.probabilities", params={"folder": str(tmp_path)})
    assert maps.classes == ("CA", "helix", "ALA")
    assert maps.values.dtype == np.float16
    assert maps.frame == FRAME


def test_files_by_name_keep_their_values_and_give_the_backbone(tmp_path):
    values = {name: RNG.random(FRAME.shape_zyx) / 3 for name in ("N", "CA", "C", "O")}
    files = {name: str(written(tmp_path / f"map{i}.mrc", one)) for i, (name, one) in enumerate(values.items())}
    maps = run_stage("map.probabilities", params={"files": files})
    assert maps.classes == ("backbone", "N", "CA", "C", "O")
    for name, one in values.items():
        np.testing.assert_allclose(maps.of(name).values, one, atol=1e-3)
    np.testing.assert_allclose(maps.of("backbone").values, np.minimum(sum(values.values()), 1), atol=2e-3)


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        (("atom_CA.mrc", "atom_Others.mrc", "sigmoidAA_TRP.mrc"), ("CA", "other", "TRP")),
        (
            ("chain_sugar_prob.mrc", "chain_phosphate_prob.mrc", "chain_C_prob.mrc", "chain_base_prob.mrc"),
            ("P", "sugar", "base", "base_C"),
        ),
        (("00_backbone.mrc", "17_LYS.mrc"), ("backbone", "LYS")),
        (("ca_output_grid.mrc", "backbone_trace.mrc"), ("backbone", "CA")),
    ],
)
def test_folders_of_known_programs(tmp_path, files, classes):
    fill(tmp_path, *files)
    assert run_stage("map.probabilities", params={"folder": tmp_path}).classes == classes


def test_what_is_of_no_class_is_left_out_and_named(tmp_path, caplog):
    fill(tmp_path, "CA.mrc", "density.mrc")
    with caplog.at_level(logging.WARNING):
        maps = read(None, ProbabilitiesParams(folder=tmp_path), Context())
    assert maps.classes == ("CA",)
    assert "density.mrc" in caplog.text


HOSTILE = {
    "negative": (-0.2, "from -0.2 to"),
    "logits": (7.0, "to 7"),
    "percent": (100.0, "to 100"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_probability_is_told(tmp_path, name):
    value, message = HOSTILE[name]
    values = np.zeros(FRAME.shape_zyx)
    values[2, 3, 4] = value
    path = written(tmp_path / "CA.mrc", values)
    with pytest.raises(InputError, match=message) as error:
        run_stage("map.probabilities", params={"folder": tmp_path})
    assert str(path) in str(error.value)


def test_rounding_beyond_the_bounds_is_cut(tmp_path):
    values = np.zeros(FRAME.shape_zyx)
    values[0, 0, :2] = -1e-4, 1.0004
    written(tmp_path / "CA.mrc", values)
    maps = run_stage("map.probabilities", params={"folder": tmp_path})
    assert maps.values.min() == 0
    assert maps.values.max() == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame((6, 7, 9), FRAME.voxel_xyz, FRAME.origin_xyz), "voxels along z, y, x 6, 7, 9"),
        (Frame((6, 7, 8), (1.0, 1.0, 1.2), FRAME.origin_xyz), "voxel size"),
        (Frame((6, 7, 8), FRAME.voxel_xyz, (0.0, 0.0, 0.0)), "origin"),
    ],
)
def test_other_grids_are_told(tmp_path, frame, message):
    written(tmp_path / "CA.mrc")
    written(tmp_path / "HIS.mrc", frame=frame)
    with pytest.raises(InputError, match=message) as error:
        run_stage("map.probabilities", params={"folder": tmp_path})
    assert "HIS.mrc" in str(error.value)
    assert "CA.mrc" in str(error.value)


def test_maps_beside_the_density_are_told(tmp_path):
    written(tmp_path / "CA.mrc", frame=Frame(FRAME.shape_zyx))
    density = DensityMap(np.ones((5, 5, 5), np.float32), Frame((5, 5, 5), origin_xyz=(300.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="lie beside the map"):
        run_stage("map.probabilities", density=density, params={"folder": tmp_path})


def test_names_and_paths_that_do_not_fit(tmp_path):
    path = written(tmp_path / "a.mrc")
    cases = (
        ({}, NotGivenError, "needs probability maps"),
        ({"folder": tmp_path, "files": {"CA": path}}, UsageError, "both"),
        ({"folder": tmp_path / "no"}, InputError, "no folder"),
        ({"folder": tmp_path}, InputError, "has the name of a class"),
        ({"files": {"CAA": path}}, InputError, "no class 'CAA'"),
        ({"files": {"CA": tmp_path / "no.mrc"}}, InputError, "no file"),
        ({"files": {"CA": path, "ca": path}}, InputError, "both of class CA"),
    )
    for given, kind, message in cases:
        with pytest.raises(kind, match=message) as error:
            check(ProbabilitiesParams(**given))
        assert error.value.hint
    with pytest.raises(InputError) as error:
        check(ProbabilitiesParams(files={"x": path}))
    assert all(name in error.value.hint for name in KNOWN)


def test_what_is_no_map_is_told(tmp_path):
    (tmp_path / "CA.mrc").write_bytes(b"no map" * 9)
    with pytest.raises(InputError, match=r"CA\.mrc"):
        run_stage("map.probabilities", params={"folder": tmp_path})


def test_the_recipe_names_stages_that_are_there():
    for step in registry().recipe("maps-mainmast").steps:
        registry().stage(step.stage)


class TestProbabilities(StageContract):
    stage_id = "map.probabilities"
    may_be_empty = ("density",)

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path):
        self.folder = tmp_path
        written(tmp_path / "CA.mrc", np.full(FRAME.shape_zyx, 0.5))

    def params(self):
        return ProbabilitiesParams(folder=self.folder)

    def inputs(self):
        return {"density": DensityMap(np.ones(FRAME.shape_zyx, np.float32), FRAME)}
