"""Which B columns hold confidences: those that mmCIF says so of, ours and those of other programs."""

from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cryoweave.data import Model
from cryoweave.io import read_model, store, write_model
from cryoweave.io.confidence import CONFIDENCE
from cryoweave.testing import ideal_model

MODEL = ideal_model("H" * 12)
RESIDUES = np.unique(MODEL.residue_number, return_inverse=True)[1]
SURE = replace(MODEL, b_factor=(50 + 3.5 * RESIDUES).astype(np.float32), b_is_confidence=np.ones(len(MODEL), bool))
LIGAND = replace(
    SURE.select(slice(0, 2)), residue_name=["LIG"] * 2, atom_name=["C1", "C2"], element=["C"] * 2,
    residue_number=[900] * 2, hetero=[True] * 2, b_factor=[30.0, 40.0], xyz=np.full((2, 3), 99.0),
)  # fmt: skip


def joined(*models: Model) -> Model:
    return Model(**{name: np.concatenate([getattr(m, name) for m in models]) for name in Model.__dataclass_fields__})


def foreign(path: Path, model: Model, values: list[float], name: str = "pLDDT") -> Path:
    """A file as other programs write it: one metric with a value of each residue."""
    write_model(path, replace(model, b_is_confidence=np.zeros(len(model), bool)))
    block = gemmi.cif.read(str(path))[0]
    block.init_loop("_ma_qa_metric.", ["id", "name", "type", "mode"]).add_row(["7", name, "pLDDT", "local"])
    tags = ["label_asym_id", "label_comp_id", "label_seq_id", "metric_id", "metric_value", "model_id", "ordinal_id"]
    loop = block.init_loop("_ma_qa_metric_local.", tags)
    for number, value in enumerate(values, 1):
        loop.add_row(["A", "ALA", str(number), "7", f"{value:.2f}", "1", str(number)])
    block.write_file(str(path))
    return path


def by_residue(model: Model) -> list[float]:
    return [float(model.b_factor[i == RESIDUES].mean()) for i in range(12)]


def test_a_file_of_ours_says_so_and_keeps_saying_so(tmp_path: Path) -> None:
    for model in (SURE, joined(SURE, LIGAND), replace(SURE, b_factor=np.full(len(SURE), 50.0))):
        write_model(tmp_path / "a.cif", model)
        assert read_model(tmp_path / "a.cif").b_is_confidence.all()
        store.save(model, tmp_path / "kept")
        assert store.load(Model, tmp_path / "kept").b_is_confidence.all()
    block = gemmi.cif.read(str(tmp_path / "a.cif"))[0]
    assert [row.str(0) for row in block.find(["_ma_qa_metric.name"])] == [CONFIDENCE]


def test_part_of_a_model_may_have_confidences(tmp_path: Path) -> None:
    part = replace(SURE, b_is_confidence=RESIDUES >= 6)
    write_model(tmp_path / "a.cif", part)
    np.testing.assert_array_equal(read_model(tmp_path / "a.cif").b_is_confidence, RESIDUES >= 6)


def test_b_factors_and_pdb_files_say_nothing(tmp_path: Path) -> None:
    write_model(tmp_path / "a.cif", MODEL)
    write_model(tmp_path / "a.pdb", SURE)
    assert "_ma_qa" not in (tmp_path / "a.cif").read_text()
    for name in ("a.cif", "a.pdb"):
        assert not read_model(tmp_path / name).b_is_confidence.any()


def test_metrics_of_other_programs_that_repeat_the_b_column(tmp_path: Path) -> None:
    values = by_residue(SURE)
    spread = replace(SURE, b_factor=SURE.b_factor + np.random.default_rng(1).normal(0, 4, len(SURE)).astype("f4"))
    for path in (
        foreign(tmp_path / "af2.cif", SURE, values),
        foreign(tmp_path / "af3.cif", spread, by_residue(spread)),
        foreign(tmp_path / "percent.cif", replace(SURE, b_factor=SURE.b_factor.round()), [v.round(2) / 100 for v in
                np.round(values)]),
    ):  # fmt: skip
        assert read_model(path).b_is_confidence.all(), path


@pytest.mark.parametrize("values", [[0.7 - 0.01 * i for i in range(12)], [0.0] * 12, [120.0 - i for i in range(12)]])
def test_metrics_that_do_not(tmp_path: Path, values: list[float]) -> None:
    assert not read_model(foreign(tmp_path / "a.cif", SURE, values, "q_0.6")).b_is_confidence.any()
    empty = replace(SURE, b_factor=np.zeros(len(SURE)))
    assert not read_model(foreign(tmp_path / "b.cif", empty, values)).b_is_confidence.any()


def test_one_residue_that_differs_is_enough(tmp_path: Path) -> None:
    values = by_residue(SURE)
    values[5] += 1
    assert not read_model(foreign(tmp_path / "a.cif", SURE, values)).b_is_confidence.any()


def test_damaged_metrics_are_no_harm(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.cif", SURE, by_residue(SURE))
    text = path.read_text()
    path.write_text(text.replace(" 7 50.00 ", " 7 ? ").replace(" 7 53.50 ", " 7 many "))
    assert read_model(path).b_is_confidence.sum() == (RESIDUES >= 2).sum()


def test_a_selection_keeps_what_is_known() -> None:
    assert SURE.select(slice(0, 3)).b_is_confidence.all()
    assert SURE.trace_atoms().b_is_confidence.all()
    assert not MODEL.b_is_confidence.any()
    assert store.digest(SURE) != store.digest(replace(SURE, b_is_confidence=np.zeros(len(SURE), bool)))
