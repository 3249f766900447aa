"""Whether a model has the residues that its sequences say."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable, Sequence, SequenceSet
from cryoweave.errors import NotApplicableError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.align import align_sequences
from cryoweave.kernels.pairing import Chain, chains_of

METRICS = {
    "sequence_differs": Metric(
        "1 where the given sequence has another residue at this place, or no place for this one; 0 where it agrees; "
        "none for unknown residues. Each chain is aligned with the sequence with which most of its residues agree",
        "",
        False,
    ),
    "sequence_identity": Metric("residues that agree with the sequence, of all known residues of the model", "", True),
    "sequence_differences": Metric("residues that do not agree with the sequence", "residues", False),
    "sequence_coverage": Metric(
        "residues of the given sequences, copies too, for which the model has one that agrees, of all", "", True
    ),
}


class Match(NamedTuple):
    """A chain and the sequence that it is most like."""

    sequence: int
    """Its place in the set; -1 if none is of the chain's kind."""
    places: NDArray[np.intp]
    """Where in the sequence each residue stands, shape ``(n,)``; -1 for those that it has no place for."""
    agrees: NDArray[np.bool_]


def against_sequences(model: Model, sequences: SequenceSet, params: NoParams, ctx: Context) -> ScoreTable:
    """Identity of each chain with its sequence, what of the sequences is modelled, and residues that differ."""
    trace = model.trace_atoms()
    if not len(trace):
        raise NotApplicableError("the model has no Cα or P atom", "is it a model of a protein or nucleic acid?")
    names, chains = list(dict.fromkeys(trace.chain.tolist())), chains_of(trace)
    differs = np.full(len(trace), np.nan)
    covered = [np.zeros(len(sequence), dtype=np.int64) for sequence in sequences]
    whole: dict[str, float] = {}
    metrics = dict(METRICS)
    done: dict[tuple[str, bool], Match] = {}
    for number, (name, chain) in enumerate(zip(names, chains, strict=True)):
        ctx.progress(number, len(chains))
        protein = bool((trace.atom_name[chain.rows] == "CA").mean() > 0.5)
        if (key := (chain.letters, protein)) not in done:  # copies of one chain are aligned once
            done[key] = best_match(chain, protein, sequences)
        match, known = done[key], np.array(list(chain.letters)) != "X"
        agree, definition = np.nan, f"chain {name}: no sequence of its kind is given, or all of it is unknown"
        if match.sequence >= 0 and known.any():
            covered[match.sequence] += np.bincount(match.places[match.agrees], minlength=len(covered[match.sequence]))
            differs[chain.rows] = np.where(known, ~match.agrees, np.nan)
            agree = float(match.agrees.sum() / known.sum())
            definition = _told(name, sequences.sequences[match.sequence], match)
        whole[f"sequence_identity_{name}"], metrics[f"sequence_identity_{name}"] = agree, Metric(definition, "", True)
    return ScoreTable(
        trace.chain,
        trace.residue_number,
        trace.insertion_code,
        trace.residue_name,
        {"sequence_differs": differs},
        {**summary(differs, covered, sequences), **whole},
        metrics,
    )


def _told(name: str, sequence: Sequence, match: Match) -> str:
    there = len(np.unique(match.places[match.agrees]))
    return (
        f"residues of chain {name} that agree with the sequence {sequence.name}, of all known ones; "
        f"it has {there} of that sequence's {len(sequence)} residues"
    )


def best_match(chain: Chain, protein: bool, sequences: SequenceSet) -> Match:
    """The sequence of the chain's kind with which most of its residues agree when aligned, ends free."""
    n = len(chain.letters)
    best = Match(-1, np.full(n, -1, dtype=np.intp), np.zeros(n, dtype=np.bool_))
    letters = np.array(list(chain.letters))
    for number, sequence in enumerate(sequences):
        if (sequence.molecule == "protein") != protein:
            continue
        places = np.full(n, -1, dtype=np.intp)
        mine, theirs = align_sequences(chain.letters, sequence.letters, identity=True).T
        places[mine] = theirs
        there = np.array(list(sequence.letters))[places.clip(min=0)]
        agrees = (places >= 0) & (letters == there) & (letters != "X")
        if best.sequence < 0 or agrees.sum() > best.agrees.sum():
            best = Match(number, places, agrees)
    return best


def summary(differs: NDArray[np.float64], covered: list[NDArray[np.int64]], sequences: SequenceSet) -> dict[str, float]:
    """Figures of the whole model."""
    known = differs[np.isfinite(differs)]
    found = 0
    for count, sequence in zip(covered, sequences, strict=True):
        # Of sequences given twice the first has all chains.
        same = (one.copies for one in sequences if (one.letters, one.molecule) == (sequence.letters, sequence.molecule))
        found += int(np.minimum(count, sum(same)).sum())
    return {
        "sequence_identity": float(1 - known.mean()) if len(known) else np.nan,
        "sequence_differences": float(known.sum()) if len(known) else np.nan,
        "sequence_coverage": found / sequences.residues,
    }
