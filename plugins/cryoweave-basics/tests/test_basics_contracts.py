"""The stages keep the contract; one class each."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Frame, Model, ProbabilityMaps, Threading, Traces
from cryoweave.errors import CryoweaveError
from cryoweave.testing import StageContract, ideal_model, sequences_of, simulated_map

MODEL = ideal_model()
DENSITY = simulated_map(MODEL, resolution=3.0)


class MapStage(StageContract):
    may_be_empty = ("density",)

    def inputs(self):
        return {"density": DENSITY}


class TestOfClass(StageContract):
    stage_id = "map.of_class"
    may_be_empty = ("maps",)

    def inputs(self):
        values = np.random.default_rng(0).random((2, 4, 5, 6))
        return {"maps": ProbabilityMaps(values, Frame((4, 5, 6)), ("backbone", "CA"))}

    def test_a_class_that_is_not_there_is_told(self):
        with pytest.raises(CryoweaveError, match="no class 'P'"):
            run_stage(self.stage_id, **self.inputs(), params={"class_name": "P"})


class TestResample(MapStage):
    stage_id = "map.resample"


class TestUpsample(MapStage):
    stage_id = "map.upsample"


class TestBlur(MapStage):
    stage_id = "map.blur"


class TestFlip(MapStage):
    stage_id = "map.flip"


class TestCrop(MapStage):
    stage_id = "map.crop"
    may_be_empty = ()


class TestSolvent(MapStage):
    stage_id = "map.solvent"
    may_be_empty = ()


class TestMaxima(MapStage):
    stage_id = "peaks.maxima"
    may_be_empty = ()


class TestMeanShift(MapStage):
    stage_id = "peaks.meanshift"
    may_be_empty = ()


def threading_of(model):
    trace = model.trace_atoms()
    sequences = sequences_of(model)
    names = [sequence.name for sequence in sequences.sequences]
    n = len(trace)
    return Threading(
        sequences=sequences,
        candidate=np.zeros(n, np.int32),
        chain=[names.index(name) for name in trace.chain.tolist()],
        residue=trace.residue_number - 1,
        xyz=trace.xyz,
        confidence=np.ones(n),
        score=np.ones(1),
        origin=("given",),
    )


def bundle(chains):
    """So many helices side by side."""
    helix = ideal_model("H" * 18)
    parts = [
        moved(helix, {"xyz": helix.xyz + 12.0 * np.array([k % 6, k // 6, 0]), "chain": np.full(len(helix), f"c{k}")})
        for k in range(chains)
    ]
    return Model(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in Model.__dataclass_fields__})


def moved(model, by):
    columns = {name: getattr(model, name) for name in model.__dataclass_fields__}
    return type(model)(**(columns | by))


class TestBuild(StageContract):
    stage_id = "build.calpha"

    def inputs(self):
        return {"threading": threading_of(MODEL)}


class TestBuildTrace(StageContract):
    stage_id = "build.trace"

    def inputs(self):
        xyz = MODEL.trace_atoms().xyz
        return {"traces": Traces(xyz, np.ones(len(xyz)), np.zeros(len(xyz), np.int32), [0], [1.0])}


class TestBackbone(StageContract):
    stage_id = "build.backbone"
    model = bundle(36)
    """Large enough to be interrupted."""
    density = simulated_map(model, resolution=3.0)

    def inputs(self):
        return {"threading": threading_of(self.model), "density": self.density}


class TestFull(StageContract):
    stage_id = "build.full"
    model = bundle(6)
    density = simulated_map(model, resolution=3.0)

    def inputs(self):
        return {"threading": threading_of(self.model), "density": self.density}


class TestFullWithoutMap(StageContract):
    stage_id = "build.full"

    def inputs(self):
        return {"threading": threading_of(bundle(3)), "density": None}


class TestCompareReference(StageContract):
    stage_id = "compare.reference"

    def inputs(self):
        return {"model": MODEL, "reference": MODEL}


class TestCompareDensity(StageContract):
    stage_id = "compare.density"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


@pytest.fixture(scope="module")
def helix():
    return ideal_model("H" * 60, letters="ACDEFGHIKLMNPQRSTVWYACDEGFHIKLMNPQRSTVWYSACDEFGHIKLMNPQRSTVW")


def whole(model, reference):
    return run_stage("compare.reference", model=model, reference=reference).whole


def test_a_model_is_like_itself(helix):
    figures = whole(helix, helix)
    for name in ("recall", "precision", "sequence_match", "right_residue", "tm_score", "gdt_ts"):
        assert figures[name] == pytest.approx(1.0), name
    assert figures["rmsd"] == pytest.approx(0.0, abs=1e-9)


def test_a_shift_of_one_angstrom_is_the_rmsd(helix):
    figures = whole(moved(helix, {"xyz": helix.xyz + np.array([1.0, 0, 0])}), helix)
    assert figures["recall"] == 1.0
    assert figures["rmsd"] == pytest.approx(1.0)
    assert figures["rmsd_superposed"] == pytest.approx(0.0, abs=1e-6)


def test_half_a_model_has_half_the_recall_and_full_precision(helix):
    figures = whole(helix.select(helix.residue_number <= 30), helix)
    assert figures["recall"] == pytest.approx(0.5)
    assert figures["precision"] == 1.0
    assert figures["right_residue"] == pytest.approx(0.5)


def test_a_register_shift_of_one_is_found_out(helix):
    trace = helix.trace_atoms()
    shifted = moved(trace, {"residue_name": np.roll(trace.residue_name, 1)})
    scores = run_stage("compare.reference", model=shifted, reference=helix)
    assert scores.whole["recall"] == 1.0
    assert scores.whole["sequence_match"] < 0.15
    assert np.nanmedian(scores.residues["register_shift"]) == 1


def test_numbering_does_not_matter(helix):
    renumbered = moved(helix, {"residue_number": helix.residue_number + 400})
    assert whole(renumbered, helix)["right_residue"] == 1.0


def test_copies_are_matched_to_the_copy_they_lie_on(helix):
    def pair(first, second):
        both = {"A": first, "B": second}
        parts = [
            moved(helix, {"xyz": helix.xyz + np.array([0, 100.0 * at, 0]), "chain": np.full(len(helix), name)})
            for name, at in both.items()
        ]
        columns = parts[0].__dataclass_fields__
        return type(helix)(**{c: np.concatenate([getattr(p, c) for p in parts]) for c in columns})

    figures = whole(pair(1, 0), pair(0, 1))
    assert figures["right_residue"] == 1.0


@pytest.mark.parametrize("role", ["model", "reference"])
def test_without_an_alpha_carbon_there_is_a_clear_error(role):
    inputs = {"model": MODEL, "reference": MODEL} | {role: MODEL.select(MODEL.atom_name == "N")}
    with pytest.raises(CryoweaveError, match="no Cα"):
        run_stage("compare.reference", **inputs)


def test_upsampling_leaves_density_where_it_was():
    doubled = run_stage("map.upsample", density=DENSITY, params={"coarser_than": 0.1})
    assert doubled.frame.origin_xyz == DENSITY.frame.origin_xyz
    np.testing.assert_array_equal(doubled.values[::2, ::2, ::2], DENSITY.values)


def test_cropping_leaves_density_where_it_was():
    cropped = run_stage(
        "map.crop", density=DENSITY, params={"margin": 0.0, "threshold": float(DENSITY.values.max()) / 2}
    )
    first = np.rint(DENSITY.frame.to_zyx(cropped.frame.origin_xyz)[0]).astype(int)
    block = tuple(slice(f, f + n) for f, n in zip(first, cropped.values.shape, strict=True))
    np.testing.assert_array_equal(cropped.values, DENSITY.values[block])


def test_solvent_has_the_noise_that_was_asked_for():
    noisy = run_stage("map.solvent", density=DENSITY, params={"noise": 0.2, "bulk": 0.0, "margin": 12.0})
    strong = DENSITY.values[DENSITY.values >= np.quantile(DENSITY.values[DENSITY.values > 0], 0.95)].mean()
    assert noisy.values[:4].std() == pytest.approx(0.2 * strong, rel=0.25)
