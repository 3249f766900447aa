"""Real files: each is read where it belongs or refused with a clear error."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cryoweave.data import Model
from cryoweave.errors import InputError
from cryoweave.io import inspect_map, read_map, read_model, read_models, read_sequences
from cryoweave.io.content import log

COUNTED_OTHERWISE = {
    "structures/bm5/1VFB_l_u.pdb.gz",  # segment numbers in the element columns hide one residue from strict readers,
    "structures/bm5/2PCC_r_u.pdb.gz",  # here too;
    "structures/rna_rsrnasp/1FIR.pdb.gz",  # one of 76 nucleotides is modified
}
"""Files of which the manifest counts one residue less than we read."""

OUTCOMES = Path(__file__).with_name("manifest_outcomes.tsv")


def manifest(shared: Path) -> list[dict[str, str]]:
    header, *lines = (shared / "MANIFEST.tsv").read_text().splitlines()
    names = header.split("\t")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in lines]


@pytest.mark.parametrize(
    ("name", "shape", "origin"),
    [
        ("EMD-3197.map", (20, 20, 20), (-22.8, 0, 0)),
        ("D7.ccp4", (45, 45, 45), (0, 0, 0)),
        (
            "ccp4_20_21_22_to_30_40_50.ccp4",
            (29, 20, 11),
            (20 * 24.53102 / 55, 21 * 24.619717 / 59, 22 * 26.457056 / 61),
        ),
        ("non_zero_origin_map.ccp4", (32, 40, 30), (74.70333, 72.3075, 73.74375)),
    ],
)
def test_odd_but_valid_headers(shared: Path, name: str, shape: tuple[int, ...], origin: tuple[float, ...]) -> None:
    frame = read_map(shared / "maps/io_edge" / name).frame
    assert frame.shape_zyx == shape
    assert np.allclose(frame.origin_xyz, origin, atol=1e-4)


@pytest.mark.parametrize("name", ["EMD-3001.map", "EMD-3001.map.bz2", "emd_3001.map.gz", "3pqr-mode0.ccp4"])
def test_cells_that_are_not_orthogonal(shared: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"not orthogonal: its angles are (90, 94\.326, 90|90, 90, 120) degrees"):
        read_map(shared / "maps/io_edge" / name)


def test_sampling_that_differs_from_the_shape(shared: Path) -> None:
    frame = read_map(shared / "maps/emd1080_groel/groel-11.5A.mrc.gz").frame
    assert frame.voxel_xyz == (2.7, 2.7, 2.7)
    assert frame.origin_xyz == (-135, -135, -135)


def test_models_sit_in_their_maps(shared: Path) -> None:
    """Mean density at Cα (C4') in units of sigma; the manifest's figures, printed to two decimals, are the oracle."""
    pairs = 0
    for row in manifest(shared):
        figure = re.match(r"([\d.]+) \((\S+); (\w+); control ([\d.]+)\)", row.get("CA_density_sigma", ""))
        if not figure:
            continue
        pairs += 1
        folder = (shared / row["file"]).parent
        path = folder / figure[2]
        density = read_map(path if path.exists() else folder / f"{figure[2]}.gz")
        model = read_model(shared / row["file"])
        trace = (model.atom_name == "CA") & (model.element == "C")
        chosen = trace if trace.any() else model.atom_name == "C4'"
        zyx = density.frame.to_zyx(model.xyz[chosen])
        values = map_coordinates(density.values, zyx.T, order=1)
        assert values.mean() / density.values.std() == pytest.approx(float(figure[1]), abs=0.01), row["file"]
    assert pairs == 15


def contents(model: Model) -> str:
    """Chains, amino acids (Cα) and nucleotides (C4'), as the manifest counts them."""
    alpha = (model.atom_name == "CA") & (model.element == "C")
    sugar = np.isin(model.atom_name, ["C4'", "C4*"])
    residues = np.array([*zip(model.chain, model.residue_number, model.insertion_code, strict=True)], dtype=object)
    protein, nucleic = (len(set(map(tuple, residues[chosen]))) for chosen in (alpha, sugar))
    return f"{len(set(model.chain))} ch; {protein} aa; {nucleic} nt"


def outcome(path: Path) -> tuple[str, str]:
    """Kind and what came of it; the refusal without the folder's name."""
    name = path.name.removesuffix(".gz").removesuffix(".bz2")
    kind = {".mrc": "map", ".map": "map", ".ccp4": "map", ".fasta": "sequence"}.get(Path(name).suffix, "model")
    try:
        if kind == "map":
            density, info = read_map(path), inspect_map(path)
            nz, ny, nx = density.values.shape
            return kind, f"read: {nx} x {ny} x {nz} voxels, {info.origin_rule}"
        if kind == "sequence":
            return kind, f"read: {len(read_sequences(path))} sequences"
        models = read_models(path)
        return kind, f"read: {len(models[0])} atoms, {len(models)} models, {contents(models[0])}"
    except InputError as error:
        return kind, "refused: " * bool(error.hint) + str(error).replace(f"{path.parent}/", "")


@pytest.mark.timeout(600)
def test_every_file_of_the_manifest(shared: Path) -> None:
    """Run this file as a program to write the table anew."""
    expected = [line.split("\t") for line in OUTCOMES.read_text(encoding="utf-8").splitlines()[1:]]
    assert [row["file"] for row in manifest(shared)] == [name for name, _, _ in expected]
    counted = {row["file"]: row["chains_residues"] for row in manifest(shared) if "aa;" in row["chains_residues"]}
    assert len(counted) > 1500
    assert {name for name, _, text in expected if not text.endswith(counted.get(name, ""))} == COUNTED_OTHERWISE
    for name, kind, text in expected:
        assert outcome(shared / name) == (kind, text), name


if __name__ == "__main__":
    log.disabled = True
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    rows = [(row["file"], *outcome(data / row["file"])) for row in manifest(data)]
    OUTCOMES.write_text(
        "".join("\t".join(row) + "\n" for row in [("file", "kind", "outcome"), *rows]), encoding="utf-8"
    )
