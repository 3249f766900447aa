"""A program of somebody else's as a stage: its input written, the program called, its output read."""

from cryoweave.data import Model
from cryoweave.errors import StageError
from cryoweave.host import CheckResult, Context
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave_powerfit_em.plugin import PROGRAM, PolymerParams


def check() -> CheckResult:
    """Whether the program is there."""
    return PROGRAM.check()


def polymer(model: Model, params: PolymerParams, ctx: Context) -> Model:
    """What is left of the model without waters, ligands and, unless they are to stay, hydrogens."""
    if not len(model):
        raise StageError("the model has no atom", "is it the right file?")
    given, made = (ctx.scratch / name for name in ("given.cif", "made.cif"))
    write_model(given, model)
    switches = ["--remove-lig-wat", *([] if params.hydrogens else ["--remove-h"])]
    said = PROGRAM.call(["convert", *switches, given.resolve(), made.resolve()], ctx, limit=params.limit)
    if not made.exists():
        raise StageError(f"gemmi wrote no model: {said.strip() or 'it says nothing'}", "is its version new enough?")
    found = read_model(made)
    ctx.note("atoms left out", len(model) - len(found))
    return found
