"""Writing atomic models: mmCIF with entities, sequences and scores, or PDB."""

import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from cryoweave.data import Model, ScoreTable, SequenceSet
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS, NUCLEOTIDES, PROTEIN_NAMES, letter_of
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file
from cryoweave.io.confidence import CONFIDENCE, METRIC, b_confidences

if TYPE_CHECKING:
    import gemmi

_DECIMALS = 3
_SPELLED = str.maketrans({
    "Å": "A", "α": "alpha", "β": "beta", "σ": "sigma", "µ": "u", "μ": "u", "×": "x", "–": "-", "—": "-", "−": "-",
    "≥": ">=", "≤": "<=", "±": "+/-", "°": " deg", "²": "^2", "³": "^3", "…": "...", "·": "*", "’": "'", "‘": "'",
    "“": '"', "”": '"',
})  # fmt: skip
"""Signs of the metrics' definitions, in ASCII."""
_SAME_SEQUENCE = 0.9
"""A chain belongs to a given sequence if this part of its residues has the letter that their numbers point at."""


def write_model(
    path: str | Path, model: Model, *, sequences: SequenceSet | None = None, scores: ScoreTable | None = None
) -> None:
    """Write a model as mmCIF, or as PDB if the name ends in ``.pdb``.

    Chain ids, residue numbers, occupancies and B-factors are written as they are; coordinates get three decimals.
    Atoms of one chain come together. mmCIF says where the B column holds confidences, so that `read_model` knows; in
    it a blank chain id becomes the first letter that is free, and the polymers, their sequences and the kinds of
    residues are filled in, without which viewers draw no cartoon.

    Parameters
    ----------
    path
        Where to write; the file appears whole or not at all.
    model
        At least one atom.
    sequences
        The molecules' whole sequences, for mmCIF. A chain gets one if its residue numbers count along it.
    scores
        Written to mmCIF as quality metrics (``_ma_qa_metric_local`` for residues of polymers,
        ``_ma_qa_metric_global`` for the whole).

    Raises
    ------
    InputError
        If the model is empty, does not fit into the PDB format, or the file cannot be written.
    """
    path = Path(path)
    if not len(model):
        raise InputError(f"there is no atom to write to {path}", "see which stage emptied the model")
    if path.suffix == ".pdb":
        _fits_pdb(model, path)
    name = path.name.partition(".")[0]
    if path.suffix == ".pdb":
        structure = _structure(model, name)
        structure.setup_entities()
        text = structure.make_pdb_string()
    else:
        model, scores = without_blank_chain(model, scores)
        text = _mmcif(model, name, sequences, scores)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _fits_pdb(model: Model, path: Path) -> None:
    limits = (
        (len(model) > 99_999, f"{len(model)} atoms are more than 99,999"),
        (_longest(model.chain) > 1, "a chain id is longer than one letter"),
        (_longest(model.residue_name) > 3, "a residue name is longer than three letters"),
        (_longest(model.atom_name) > 4, "an atom name is longer than four letters"),
        (bool(model.residue_number.min() < -999 or model.residue_number.max() > 9999), "a number exceeds four digits"),
        (bool(model.xyz.min() <= -999.9995 or model.xyz.max() >= 9999.9995), "a coordinate exceeds eight columns"),
    )
    for broken, reason in limits:
        if broken:
            raise InputError(f"{path}: the model does not fit into the PDB format: {reason}", "write mmCIF: name.cif")


def without_blank_chain(model: Model, scores: ScoreTable | None) -> tuple[Model, ScoreTable | None]:
    """The same with an id, the first letter that is free, for a chain without one: mmCIF has no such chain."""
    used = set(model.chain.tolist())
    if "" not in used:
        return model, scores
    free = next(letter for letter in [*ascii_uppercase, *ascii_lowercase, "AA"] if letter not in used)
    model = replace(model, chain=np.where(model.chain == "", free, model.chain))
    if scores is not None:
        scores = replace(scores, chain=np.where(scores.chain == "", free, scores.chain))
    return model, scores


def _longest(texts: np.ndarray) -> int:
    return int(np.char.str_len(texts).max())


def _structure(model: Model, name: str) -> "gemmi.Structure":
    import gemmi

    structure = gemmi.Structure()
    structure.name = name or "model"
    chains: dict[str, gemmi.Chain] = {}
    last, residue = None, gemmi.Residue()
    columns = (
        model.chain, model.residue_number, model.insertion_code, model.residue_name, model.hetero,
        model.atom_name, model.element, model.altloc, model.occupancy, model.b_factor, np.round(model.xyz, _DECIMALS),
    )  # fmt: skip
    for chain, number, insertion, name_, hetero, *atom in zip(*(column.tolist() for column in columns), strict=True):
        if (chain, number, insertion, name_, hetero) != last:
            last = (chain, number, insertion, name_, hetero)
            target = chains.setdefault(chain, gemmi.Chain(chain))
            residue = target.add_residue(_residue(name_, number, insertion, hetero))
        residue.add_atom(_atom(*atom))
    first = gemmi.Model(1)
    for chain in chains.values():
        first.add_chain(chain)
    structure.add_model(first)
    return structure


def _residue(name: str, number: int, insertion: str, hetero: bool) -> "gemmi.Residue":
    import gemmi

    residue = gemmi.Residue()
    residue.name = name
    residue.seqid = gemmi.SeqId(number, insertion or " ")
    residue.het_flag = "H" if hetero else "A"
    return residue


def _atom(name: str, element: str, altloc: str, occupancy: float, b_factor: float, xyz: list[float]) -> "gemmi.Atom":
    import gemmi

    atom = gemmi.Atom()
    atom.name = name
    atom.element = gemmi.Element(element)
    atom.altloc = altloc or "\0"
    atom.occ = occupancy
    atom.b_iso = b_factor
    atom.pos = gemmi.Position(*xyz)
    return atom


def _mmcif(model: Model, name: str, sequences: SequenceSet | None, scores: ScoreTable | None) -> str:
    import gemmi

    structure = _structure(model, name)
    structure.setup_entities()
    _name_subchains(structure)
    _number_polymers(structure, sequences)
    structure.deduplicate_entities()
    groups = gemmi.MmcifOutputGroups(False)
    for group in ("atoms", "group_pdb", "auth_all", "entity", "entity_poly", "entity_poly_seq", "struct_asym",
                  "chem_comp", "entry", "atom_type", "block_name"):  # fmt: skip
        setattr(groups, group, True)
    block = structure.make_mmcif_block(groups)
    for row in block.find("_chem_comp.", ["id", "type"]):
        row[1] = gemmi.cif.quote(_component_type(row.str(0)))
    confidences = b_confidences(model)
    if scores is not None or confidences is not None:
        _add_scores(block, structure, scores if scores is not None else _no_scores(), confidences)
    return block.as_string()


def _name_subchains(structure: "gemmi.Structure") -> None:
    """Give each polymer its chain's id as label_asym_id, the others the first letters that are free."""
    taken = {chain.name for chain in structure[0]}
    pairs = (a + b for a in ("", *ascii_uppercase) for b in ascii_uppercase)
    free = (name for name in pairs if name not in taken)
    names: dict[str, str] = {}
    for chain in structure[0]:
        polymer = chain.get_polymer()
        if len(polymer):
            names[polymer[0].subchain] = chain.name
        for residue in chain:
            if residue.subchain not in names:
                names[residue.subchain] = next(free, residue.subchain)
            residue.subchain = names[residue.subchain]
    for entity in structure.entities:
        entity.subchains = [names[name] for name in entity.subchains]


def _number_polymers(structure: "gemmi.Structure", sequences: SequenceSet | None) -> None:
    """Fill the polymers' sequences and give each residue its place in them."""
    for chain in structure[0]:
        polymer = chain.get_polymer()
        entity = structure.get_entity_of(polymer) if len(polymer) else None
        if entity is None:
            continue
        given = _given_sequence(polymer, sequences)
        if given:
            for residue in polymer:
                residue.label_seq = residue.seqid.num
            entity.full_sequence = given
            continue
        names: list[str] = []
        last = None
        for residue in polymer:
            if str(residue.seqid) != last:
                last = str(residue.seqid)
                names.append(residue.name)
            residue.label_seq = len(names)
        entity.full_sequence = names


def _given_sequence(polymer: "gemmi.ResidueSpan", sequences: SequenceSet | None) -> list[str]:
    """Residue names of the given sequence that the chain's residue numbers count along; empty if there is none."""
    for sequence in sequences or ():
        numbers = [_number(residue) for residue in polymer]
        rising = all(a < b for a, b in pairwise(numbers))
        if not rising or numbers[0] < 1 or numbers[-1] > len(sequence):
            continue
        letters = [sequence.letters[number - 1] for number in numbers]
        same = sum(letter in ("X", letter_of(residue.name)) for letter, residue in zip(letters, polymer, strict=True))
        if same >= _SAME_SEQUENCE * len(numbers):
            prefix = "D" if sequence.molecule == "dna" else ""
            names = [PROTEIN_NAMES[x] if sequence.molecule == "protein" else prefix + x for x in sequence.letters]
            for residue in polymer:
                names[_number(residue) - 1] = residue.name
            return names
    return []


def _number(residue: "gemmi.Residue") -> int:
    return residue.seqid.num or 0


def _component_type(name: str) -> str:
    import gemmi

    if name == "GLY":
        return "PEPTIDE LINKING"
    known = gemmi.find_tabulated_residue(name)
    if name in AMINO_ACIDS or name in MODIFIED_AMINO_ACIDS or known.is_amino_acid():
        return "L-PEPTIDE LINKING"
    if name in NUCLEOTIDES or known.is_nucleic_acid():
        return "DNA LINKING" if known.kind == gemmi.ResidueKind.DNA else "RNA LINKING"
    return "NON-POLYMER"


def _no_scores() -> ScoreTable:
    nothing = np.array([], np.str_)
    return ScoreTable(nothing, np.array([], np.int32), nothing, nothing)


def _add_scores(
    block: "gemmi.cif.Block", structure: "gemmi.Structure", scores: ScoreTable, confidences: ScoreTable | None
) -> None:
    names = [*scores.residues, *(name for name in scores.whole if name not in scores.residues)]
    local, whole = set(scores.residues), set(scores.whole)
    numbers: dict[tuple[str, str], str] = {}
    metrics: list[list[str]] = []
    for name in names:
        for mode, present in (("local", local), ("global", whole)):
            if name in present:
                numbers[name, mode] = str(len(metrics) + 1)
                metric = scores.metrics[name]
                unit = f" (unit: {metric.unit})" if metric.unit else ""
                text = _ascii(metric.definition.rstrip(".") + unit)
                metrics.append([numbers[name, mode], _ascii(name), text, "other", mode, "definition in description"])
    own = str(len(metrics) + 1)
    for name in confidences.residues if confidences is not None else ():
        metrics.append([own, name, METRIC.definition, "other", "local", "definition in description"])
    tags = ["id", "name", "description", "type", "mode", "type_other_details"]
    _add_loop(block, "_ma_qa_metric.", tags, metrics)
    rows: list[list[str]] = []
    for name, value in scores.whole.items():
        if np.isfinite(value):
            rows.append([str(len(rows) + 1), "1", numbers[name, "global"], f"{value:.6g}"])
    _add_loop(block, "_ma_qa_metric_global.", ["ordinal_id", "model_id", "metric_id", "metric_value"], rows)
    tags = ["ordinal_id", "model_id", "label_asym_id", "label_seq_id", "label_comp_id", "metric_id", "metric_value"]
    metric_ids = {name: numbers[name, "local"] for name in scores.residues}
    rows = _local_rows(structure, scores, metric_ids)
    rows += [] if confidences is None else _local_rows(structure, confidences, {CONFIDENCE: own})
    numbered = [[str(number), *row] for number, row in enumerate(rows, 1)]
    _add_loop(block, "_ma_qa_metric_local.", tags, numbered)


def _ascii(text: str) -> str:
    """The text in the letters that mmCIF allows; what has no such spelling becomes ``?``."""
    spelled = text.replace("Cα", "C-alpha").translate(_SPELLED)
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "replace").decode()


def _local_rows(structure: "gemmi.Structure", scores: ScoreTable, metric_ids: dict[str, str]) -> list[list[str]]:
    places = {
        (chain.name, residue.seqid.num, residue.seqid.icode.strip(), residue.name): (
            residue.subchain,
            residue.label_seq,
        )
        for chain in structure[0]
        for residue in chain.get_polymer()
    }
    identity = (scores.chain, scores.residue_number, scores.insertion_code, scores.residue_name)
    keys = list(zip(*(column.tolist() for column in identity), strict=True))
    rows: list[list[str]] = []
    for name, metric_id in metric_ids.items():
        for key, value in zip(keys, scores.residues[name].tolist(), strict=True):
            if key in places and np.isfinite(value):
                subchain, label = places[key]
                rows.append(["1", subchain, str(label), key[3], metric_id, f"{value:.6g}"])
    return rows


def _add_loop(block: "gemmi.cif.Block", prefix: str, tags: list[str], rows: list[list[str]]) -> None:
    import gemmi

    if rows:
        loop = block.init_loop(prefix, tags)
        for row in rows:
            loop.add_row([gemmi.cif.quote(value) for value in row])
