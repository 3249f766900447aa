"""``check``: what it says of inputs whose faults are known."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.pipeline.preflight import RESIDUE_VOLUME, helix_turns
from cryoweave.testing import ideal_model, sequences_of, simulated_map

MODEL = ideal_model("H" * 24 + "C" * 4 + "E" * 8)
LETTERS = next(iter(sequences_of(MODEL))).letters


@pytest.fixture
def files(tmp_path):
    """A noisy map, its model, its sequence."""
    density = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1)
    write_map(tmp_path / "map.mrc", density)
    write_model(tmp_path / "model.pdb", MODEL)
    (tmp_path / "chain.fasta").write_text(f">A\n{LETTERS}\n")
    return tmp_path


def mirrored(values):
    return np.ascontiguousarray(values[:, :, ::-1])


def findings(result):
    levels = {}
    for entry in result.json():
        levels.setdefault(entry["topic"], []).append(entry)
    return {topic: max(entries, key=lambda e: ["ok", "skip", "warn", "fail"].index(e["level"]))
            for topic, entries in levels.items()}  # fmt: skip


def test_sound_inputs(cli, files):
    result = cli(
        "check", "-v", files / "map.mrc", "-s", files / "chain.fasta", "--model", files / "model.pdb", "--json"
    )
    assert result.code == 0
    found = findings(result)
    assert {topic: entry["level"] for topic, entry in found.items()} == dict.fromkeys(
        ("map", "voxel", "mask", "contrast", "sequences", "contour", "origin", "hand", "cost"), "ok"
    )
    needed = found["contour"]["values"]["needed_volume"]
    assert needed == pytest.approx(len(LETTERS) * RESIDUE_VOLUME["protein"])
    density = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1).values
    suggested = found["contour"]["values"]["suggested"]
    assert np.count_nonzero(density > suggested) == pytest.approx(needed, rel=0.01)
    assert found["origin"]["values"]["sigma"] > found["origin"]["values"]["control_sigma"] + 1


def test_without_a_model_hand_and_origin_are_not_tested(cli, files):
    found = findings(cli("check", "-v", files / "map.mrc", "--json"))
    for topic in ("hand", "origin", "contour"):
        assert found[topic]["level"] == "skip"
        assert found[topic]["message"].startswith("not tested: needs")


def test_the_text_says_the_same(cli, files):
    result = cli("check", "-v", files / "map.mrc", "-s", files / "chain.fasta")
    assert "36 residues" in result.out
    assert "not tested: needs a model" in result.out
    assert "2 skip" in result.err


def test_the_other_hand(cli, files):
    density = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1)
    write_map(files / "flipped.mrc", DensityMap(mirrored(density.values), density.frame))
    result = cli("check", "-v", files / "flipped.mrc", "-r", files / "model.pdb", "--json")
    found = findings(result)
    assert result.code == 1
    assert found["hand"]["level"] == "fail"
    assert "other hand" in found["hand"]["message"]
    values = found["hand"]["values"]
    assert values["mirrored_sigma"] > values["sigma"] + 1


def test_a_model_built_into_the_other_hand(cli, files):
    density = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1)
    write_map(files / "flipped.mrc", DensityMap(mirrored(density.values), density.frame))
    ends = density.frame.to_xyz([(0, 0, 0), [n - 1 for n in density.frame.shape_zyx]])
    image = MODEL.xyz * [-1, 1, 1] + [ends[:, 0].sum(), 0, 0]
    write_model(files / "left.pdb", replace(MODEL, xyz=image))
    found = findings(cli("check", "-v", files / "flipped.mrc", "--model", files / "left.pdb", "--json"))
    assert found["origin"]["level"] == "ok"
    assert found["hand"]["level"] == "fail"
    assert "left-handed" in found["hand"]["message"]


def test_helix_turns():
    assert helix_turns(MODEL)[0] == 0
    assert helix_turns(MODEL)[1] >= 20
    assert helix_turns(ideal_model("E" * 12)) == (0, 0)
    assert helix_turns(ideal_model("HHH")) == (0, 0)


def test_a_shifted_model(cli, files):
    write_model(files / "shifted.pdb", replace(MODEL, xyz=MODEL.xyz + np.array([0, 10, 0])))
    write_model(files / "far.pdb", replace(MODEL, xyz=MODEL.xyz + 500))
    for name, message in (("shifted.pdb", "does not sit"), ("far.pdb", "within the map's box")):
        result = cli("check", "-v", files / "map.mrc", "--model", files / name, "--json")
        assert result.code == 1
        assert message in findings(result)["origin"]["message"]


def test_contours(cli, files):
    def contour(value):
        result = cli("check", "-v", files / "map.mrc", "-s", files / "chain.fasta", f"--contour={value}", "--json")
        return result.code, findings(result)["contour"]

    code, high = contour(1000)
    assert (code, high["level"]) == (1, "fail")
    code, low = contour(0.0)
    assert (code, low["level"]) == (0, "warn")
    assert low["values"]["enclosed_volume"] > 2 * low["values"]["needed_volume"]
    assert contour(low["values"]["suggested"])[1]["level"] == "ok"


def test_nucleotides_in_a_proteins_file(cli, files):
    (files / "chain.fasta").write_text(">A\nACGUACGUACGUACGU\n")
    result = cli("check", "-v", files / "map.mrc", "-pf", files / "chain.fasta", "--json")
    assert result.code == 1
    found = findings(result)["sequences"]
    assert "looks like nucleotides" in found["message"]
    assert "-rf" in found["hint"]
    assert [entry["level"] for entry in result.json() if entry["topic"] == "sequences"] == ["fail"], "no ok beside it"
    assert cli("check", "-v", files / "map.mrc", "-rf", files / "chain.fasta", "--json").code == 0


def test_unreadable_files_are_findings(cli, files):
    (files / "chain.fasta").write_text("")
    (files / "model.pdb").write_text("nothing")
    result = cli(
        "check", "-v", files / "map.mrc", "-s", files / "chain.fasta", "--model", files / "model.pdb", "--json"
    )
    assert result.code == 1
    found = findings(result)
    assert found["sequences"]["level"] == found["model"]["level"] == "fail"
    assert found["mask"]["level"] == "ok", "the map is checked all the same"
    (files / "map.mrc").write_bytes(b"nothing")
    result = cli("check", "-v", files / "map.mrc")
    assert result.code == 1
    assert "fail" in result.out
    assert "Traceback" not in result.err


def test_odd_maps(cli, files):
    density = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1)
    values, shape = density.values, density.frame.shape_zyx
    masked = np.where(values > 2, values, 0)
    cases = {
        "flat": (np.full(shape, 3.0), (1, 1, 1), "contrast", "fail"),
        "masked": (masked, (1, 1, 1), "mask", "warn"),
        "inverted": (-values, (1, 1, 1), "contrast", "warn"),
        "coarse": (values, (2.5, 2.5, 2.5), "voxel", "warn"),
        "uneven": (values, (1, 1, 1.2), "voxel", "warn"),
    }
    for name, (array, voxel, topic, level) in cases.items():
        write_map(files / f"{name}.mrc", DensityMap(array, Frame(shape, voxel)))
        result = cli("check", "-v", files / f"{name}.mrc", "--json")
        assert findings(result)[topic]["level"] == level, name
        assert result.code == (1 if level == "fail" else 0)


def test_more_molecules_than_map(cli, files):
    (files / "chain.fasta").write_text(">A\n" + "ACDEFGHIKL" * 60 + "\n")
    result = cli("check", "-v", files / "map.mrc", "-s", files / "chain.fasta", "--json")
    found = findings(result)["contour"]
    assert found["level"] == "warn"
    assert "does the map show all" in found["hint"]


def test_a_tight_mask_is_no_fault(cli, files):
    values = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1).values
    needed = round(len(LETTERS) * RESIDUE_VOLUME["protein"])  # voxels of 1 Å³
    for share, level in ((0.8, "ok"), (0.3, "warn")):
        lowest = np.sort(values, axis=None)[-round(share * needed)]
        masked = np.where(values >= lowest, values, 0)
        write_map(files / "masked.mrc", DensityMap(masked, Frame(values.shape, (1, 1, 1))))
        result = cli("check", "-v", files / "masked.mrc", "-s", files / "chain.fasta", "--json")
        assert findings(result)["contour"]["level"] == level


def test_no_time_is_promised(cli, files):
    cost = findings(cli("check", "-v", files / "map.mrc", "-s", files / "chain.fasta", "--json"))["cost"]
    assert "MB" in cost["message"]
    assert not re.search(r"\d s\b|µs|seconds", cost["message"] + str(cost["values"]))


PAIRS = [
    ("emd2566_3j6b9/2566_3J6B_9.mrc.gz", "emd2566_3j6b9/3J6B_9.pdb"),
    ("emd5778_trpv1A/riken_5778_masked.mrc.gz", "emd5778_trpv1A/riken_5778_native.pdb"),
    ("emd20026_apof/emd20026_prot.mrc.gz", "emd20026_apof/3ajo_fitted_refined.pdb"),
    ("emd30342_integrin/emd_30342_A_z4.mrc.gz", "emd30342_integrin/7cec_A.cif.gz"),
    ("emd5168_actin/emd_5168.map.gz", "emd5168_actin/3MFP.pdb"),
    ("emd1080_groel/groel-11.5A.mrc.gz", "emd1080_groel/1oel_fit_emd1080.pdb.gz"),
]


@pytest.mark.parametrize(("density", "model"), PAIRS, ids=[pair[0].split("/")[0] for pair in PAIRS])
def test_real_maps_hold_their_models_in_the_right_hand(cli, shared, density, model):
    result = cli("check", "-v", shared / "maps" / density, "-r", shared / "maps" / model, "--json")
    found = findings(result)
    assert result.code == 0
    assert found["origin"]["level"] == found["hand"]["level"] == "ok"
