"""What the plugin hands over. Nothing here does work: each record names its function."""

from importlib.resources import files

from cryoweave.data import Model
from cryoweave.host import Check, Kind, Params, Program, Recipe, Stage, hookimpl, param

PROGRAM = Program("gemmi", "pip install gemmi-program", version=("--version",))


class PolymerParams(Params):
    """Parameters of ``powerfit_em.polymer``."""

    hydrogens: bool = param(False, "keep hydrogens")
    limit: float = param(300.0, "time that the program may take", unit="s", gt=0, le=86400)


STAGES = [
    Stage(
        id="powerfit_em.polymer",
        kind=Kind.PREPARE,
        summary="the model without waters and ligands, by the program gemmi",
        load="cryoweave_powerfit_em.polymer:polymer",
        takes={"model": Model},
        gives=Model,
        params=PolymerParams,
        needs=("powerfit-em-gemmi",),
        cites=("10.21105/joss.04200",),  # DOIs of the program and of the work that it follows
    )
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stage of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipe of this plugin."""
    return [Recipe.from_toml((files("cryoweave_powerfit_em") / "recipe.toml").read_text("utf-8"), "recipe.toml")]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """Whether the program is there; `cryoweave plugins doctor` asks."""
    return [Check("powerfit-em-gemmi", "the program gemmi", "cryoweave_powerfit_em.polymer:check")]
