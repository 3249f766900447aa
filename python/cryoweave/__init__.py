"""Atomic models from cryo-EM maps.

>>> import cryoweave
>>> density = cryoweave.load_map("map.mrc")
>>> result = cryoweave.run("RECIPE", map="map.mrc", sequences="chains.fasta", output="out")
>>> result.scores.to_pandas()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoweave.io.maps import read_map as load_map
    from cryoweave.io.models import read_model as load_model
    from cryoweave.io.sequences import read_sequences as load_sequences
    from cryoweave.pipeline.execute import run_stage
    from cryoweave.pipeline.plan import plan
    from cryoweave.pipeline.run import run

    __version__: str

_HOMES = {
    "load_map": "cryoweave.io.maps:read_map",
    "load_model": "cryoweave.io.models:read_model",
    "load_sequences": "cryoweave.io.sequences:read_sequences",
    "plan": "cryoweave.pipeline.plan:plan",
    "run": "cryoweave.pipeline.run:run",
    "run_stage": "cryoweave.pipeline.execute:run_stage",
}
__all__ = ["__version__", "load_map", "load_model", "load_sequences", "plan", "run", "run_stage"]


def __getattr__(name: str) -> Any:
    """Import what is used when it is used, so that ``import cryoweave`` stays light (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("cryoweave")
    if name not in _HOMES:
        raise AttributeError(f"module 'cryoweave' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _HOMES[name].partition(":")
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
