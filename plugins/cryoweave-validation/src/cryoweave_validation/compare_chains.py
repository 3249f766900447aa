"""Which chain is which, and where the model's chains are broken."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.host import Context, NoParams
from cryoweave.kernels.chains import REACH
from cryoweave.kernels.metrics import match_points
from cryoweave.kernels.pairing import CLOSE, chains_of
from cryoweave_validation.compare import Rows, traces

METRICS = {
    "chain_recall": Metric(
        "of the reference chain that the residue's chain is mapped to: its Cα (P) with one of this chain within 3 Å, "
        "one to one, of all its Cα; chains are mapped one to one so that most Cα are found",
        "",
        True,
    ),
    "mapped_chain": Metric("reference chain that the residue's chain is mapped to, counted from 1 in its file's order"),
    "model_chains": Metric("chains of the model with a Cα (P)", "chains"),
    "reference_chains": Metric("chains of the reference with a Cα (P)", "chains"),
    "mapped_chains": Metric("chains of the model that are mapped to one of the reference", "chains", True),
    "mapped_recall": Metric(
        "reference Cα (P) with one of the mapped chain within 3 Å, one to one, of all reference Cα", "", True
    ),
    "model_fragments": Metric("unbroken stretches of the model: neighbours at most 4.2 Å (P: 8 Å) apart", "fragments"),
    "reference_fragments": Metric("unbroken stretches of the reference, likewise", "fragments"),
    "matched_fragments": Metric(
        "stretches of bonded reference residues that the model has found, one to one within 3 Å, with bonded residues",
        "fragments",
        False,
    ),
    "matched_length": Metric("mean number of residues in these stretches", "residues", True),
    "breaks": Metric(
        "bonds of the reference whose two residues the model has found, but with residues that are not bonded to each "
        "other: gaps, swaps and false connections",
        "bonds",
        False,
    ),
}


class Mapping(NamedTuple):
    """Chains of the model and of the reference that belong together; both counted in their files' order."""

    ours: Rows
    """Shape ``(k,)``, ascending."""
    native: Rows
    found: NDArray[np.int64]
    """Residues of each pair of chains that lie on each other."""


def connected(model: Model, reference: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """Chain mapping, recall of each chain, fragments and breaks."""
    ours, native = traces(model, reference)
    pairs = match_points(ours.xyz, native.xyz, CLOSE).pairs
    (my_names, my_chain), (names, chain) = chain_numbers(ours), chain_numbers(native)
    mapping = map_chains(my_chain[pairs[:, 0]], chain[pairs[:, 1]], len(my_names), len(names))
    size = np.bincount(chain)
    recall, mapped = (np.full(len(my_names), np.nan) for _ in range(2))
    recall[mapping.ours], mapped[mapping.ours] = mapping.found / size[mapping.native], mapping.native + 1
    each, definitions = chain_recalls(mapping, my_names, names, size)
    return ScoreTable(
        chain=ours.chain,
        residue_number=ours.residue_number,
        insertion_code=ours.insertion_code,
        residue_name=ours.residue_name,
        residues={"chain_recall": recall[my_chain], "mapped_chain": mapped[my_chain]},
        whole={
            "model_chains": len(my_names),
            "reference_chains": len(names),
            "mapped_chains": len(mapping.ours),
            "mapped_recall": float(mapping.found.sum() / len(native)),
            **stretches(ours, native, pairs),
            **each,
        },
        metrics=METRICS | definitions,
    )


def chain_numbers(trace: Model) -> tuple[list[str], Rows]:
    """Names of the chains, and each atom's chain, counted in the file's order."""
    names = list(dict.fromkeys(trace.chain.tolist()))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[name] for name in trace.chain.tolist()], dtype=np.intp)


def map_chains(ours: Rows, native: Rows, n_ours: int, n_native: int) -> Mapping:
    """The one-to-one mapping of chains in which most residues are found; those with none stay unmapped.

    Parameters
    ----------
    ours, native
        Chains of the residues that lie on each other, shape ``(k,)``.
    n_ours, n_native
        Chains in all.
    """
    found = np.zeros((n_ours, n_native), dtype=np.int64)
    np.add.at(found, (ours, native), 1)
    row, column = linear_sum_assignment(found, maximize=True)
    some = found[row, column] > 0
    return Mapping(row[some], column[some], found[row[some], column[some]])


def chain_recalls(
    mapping: Mapping, ours: list[str], native: list[str], size: NDArray[np.int64]
) -> tuple[dict[str, float], dict[str, Metric]]:
    """Recall of each reference chain, and a definition that says which chain of the model it is mapped to."""
    partner = {j: (i, found) for i, j, found in zip(*(column.tolist() for column in mapping), strict=True)}
    recalls, metrics = {}, {}
    for j, name in enumerate(native):
        i, found = partner.get(j, (-1, 0))
        text = (
            f"Cα (P) of reference chain {name} with one of model chain {ours[i]} within 3 Å, one to one, of all its Cα"
        )
        recalls[f"chain_recall_{name}"] = found / size[j]
        metrics[f"chain_recall_{name}"] = Metric(
            text if found else f"no chain of the model is mapped to reference chain {name}", "", True
        )
    return recalls, metrics


def stretches(ours: Model, native: Model, pairs: NDArray[np.int32]) -> dict[str, float]:
    """What the bonds of both say about each other."""
    mine, theirs = bonds(ours), bonds(native)
    found = np.full(len(native), -1, dtype=np.int64)
    found[pairs[:, 1]] = pairs[:, 0]
    ends = found[theirs]
    both = ends[(ends >= 0).all(axis=1)]
    ends, mine = np.sort(both, axis=1), np.sort(mine, axis=1)
    kept = np.isin(ends @ [len(ours), 1], mine @ [len(ours), 1])
    matched = len(pairs) - int(kept.sum())
    return {
        "model_fragments": len(ours) - len(mine),
        "reference_fragments": len(native) - len(theirs),
        "matched_fragments": matched,
        "matched_length": len(pairs) / matched if matched else 0.0,
        "breaks": int((~kept).sum()),
    }


def bonds(trace: Model) -> NDArray[np.int64]:
    """Rows of neighbours in a chain that are near enough to be bonded, shape ``(k, 2)``."""
    reach = np.array([REACH[name] for name in trace.atom_name.tolist()])
    neighbours = [np.column_stack((chain.rows[:-1], chain.rows[1:])) for chain in chains_of(trace)]
    pairs = np.concatenate(neighbours).astype(np.int64)
    distance = np.linalg.norm(trace.xyz[pairs[:, 0]] - trace.xyz[pairs[:, 1]], axis=1)
    return np.asarray(pairs[distance <= reach[pairs].min(axis=1)])
