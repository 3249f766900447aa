"""PULCHRA (Rotkiewicz & Skolnick 2008, J. Comput. Chem. 29, 1460), run in a process of its own."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from cryoweave.data import Model
from cryoweave.data.model import joined_models
from cryoweave.errors import StageError
from cryoweave.host import CheckResult, Context
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave_pulchra.stages import FullParams

PACKAGE = "pypulchra"
HINT = "pip install pypulchra (it needs a C++ compiler), or build with `build.full`"
CALL = f"import sys, {PACKAGE} as p; sys.stdout.write(p.run_from_pdb_str(sys.stdin.read()).pdb_str)"
"""A crash of the program then ends its own process only."""


def check() -> CheckResult:
    """Whether the package can be imported."""
    if find_spec(PACKAGE) is None:
        return CheckResult(False, f"the package {PACKAGE} is not installed", HINT)
    return CheckResult(True, f"the package {PACKAGE} is installed")


def full(model: Model, params: FullParams, ctx: Context) -> Model:
    """All heavy atoms of every protein chain; names, numbers and B factors are those of its Cα atoms."""
    found = check()
    if not found.ok:
        raise StageError(found.message, found.hint)
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    if not len(trace):
        raise StageError("the model has no Cα atom", "give a model of a protein, e.g. that of `build.calpha`")
    chains = list(dict.fromkeys(trace.chain.tolist()))
    parts = []
    for done, chain in enumerate(chains):
        ctx.progress(done, len(chains))
        parts.append(one_chain(trace.select(trace.chain == chain), params, ctx))
    return joined_models(parts)


def one_chain(trace: Model, params: FullParams, ctx: Context) -> Model:
    """All heavy atoms of one chain, which the program sees as chain A from 1 on, unknown residues as alanine."""
    n = len(trace)
    given, made = ctx.scratch / "calpha.pdb", ctx.scratch / "full.pdb"
    name = np.where(trace.residue_name == "UNK", "ALA", trace.residue_name)
    columns = {"chain": np.full(n, "A"), "residue_number": np.arange(1, n + 1, dtype=np.int32), "residue_name": name}
    plain = {"insertion_code": np.full(n, ""), "altloc": np.full(n, ""), "hetero": np.zeros(n, bool)}
    write_model(given, replace(trace, **columns, **plain))
    try:
        ended = subprocess.run(
            [sys.executable, "-c", CALL],
            input=given.read_text("ascii"), capture_output=True, text=True, timeout=params.limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StageError(f"PULCHRA took longer than {params.limit:g} s", "raise `limit`") from error
    if ended.returncode or "ATOM" not in ended.stdout:
        lines = ended.stderr.strip().splitlines()
        raise StageError(f"PULCHRA made no model: {lines[-1] if lines else 'it says nothing'}", HINT)
    made.write_text(ended.stdout, "ascii")
    atoms = read_model(made)
    atoms = atoms.select(atoms.element != "H")
    row = (atoms.residue_number - 1).astype(np.intp)
    if not len(atoms) or row.min() < 0 or row.max() >= n or not np.isfinite(atoms.xyz).all():
        raise StageError("PULCHRA's model does not fit its input", "build with `build.full`")
    return replace(trace.select(row), xyz=atoms.xyz, atom_name=atoms.atom_name, element=atoms.element)
