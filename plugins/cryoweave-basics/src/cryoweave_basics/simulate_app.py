"""``cryoweave simulate``: the map that an experiment would give of a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import InputError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def simulate(
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", readable=False, help="A model (mmCIF or PDB).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MAP", help="The map, .mrc or .mrc.gz.")],
    resolution: Annotated[float, typer.Option("--resolution", "-d", metavar="Å", min=1, max=50)],
    voxel: Annotated[
        float | None,
        typer.Option("--voxel", metavar="Å", help="Edge of the voxels; as default min(1, d / 3)."),
    ] = None,
    like: Annotated[
        Path | None, typer.Option("--like", metavar="MAP", readable=False, help="Take the grid of this map.")
    ] = None,
    noise: Annotated[
        float, typer.Option("--noise", min=0, help="Noise over what the resolution asks for; 0: none.")
    ] = 1.0,
    solvent: Annotated[
        float, typer.Option("--solvent", min=0, max=1, help="Share of the mean density that solvent takes away.")
    ] = 0.5,
    disorder: Annotated[
        float, typer.Option("--disorder", min=0, help="Smooth density outside, over the molecule's mean.")
    ] = 0.0,
    falloff_b: Annotated[
        float | None,
        typer.Option(
            "--falloff-b", metavar="Å²", help="B of the map's spectrum: 0 sharp, as default as published maps."
        ),
    ] = None,
    b_factor: Annotated[
        float | None, typer.Option("--b-factor", metavar="Å²", min=0, help="Of every atom, in place of the model's.")
    ] = None,
    mask_radius: Annotated[
        float | None, typer.Option("--mask-radius", metavar="Å", min=0.5, help="Zero beyond this from any atom.")
    ] = None,
    mask_edge: Annotated[
        float, typer.Option("--mask-edge", metavar="Å", min=0, help="Over which the mask falls off.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the noise.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """The map that an experiment would give of a model: electron scattering, solvent, noise, fall-off, mask."""
    from cryoweave.io.maps import read_map, write_map
    from cryoweave.io.models import read_model
    from cryoweave.pipeline.execute import run_stage

    if not output.name.endswith((".mrc", ".mrc.gz", ".map", ".map.gz")):
        raise InputError(f"{output} is no name of a map", "write -o name.mrc")
    params = {
        "resolution": resolution,
        "voxel": voxel or min(1.0, resolution / 3),
        "noise": noise,
        "solvent": solvent,
        "disorder": disorder,
        "falloff_b": falloff_b,
        "b_factor": b_factor,
        "mask_radius": mask_radius,
        "mask_edge": mask_edge,
    }
    inputs: dict[str, Any] = {"model": read_model(model_file)}
    if like:
        inputs["density"] = read_map(like)
    density = run_stage("model.simulate", params=params, seed=seed, threads=threads, **inputs)
    write_map(output, density)
    if as_json:
        console.data_json({"map": output, "shape_zyx": density.frame.shape_zyx, "voxel_xyz": density.frame.voxel_xyz})
        return
    shape = " x ".join(str(n) for n in density.frame.shape_zyx[::-1])
    console.say(f"{output}: {shape} voxels of {density.frame.voxel_xyz[0]:.3g} Å")
