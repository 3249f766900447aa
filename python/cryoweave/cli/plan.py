"""``cryoweave plan``: what a run would do and why."""

from typing import TYPE_CHECKING

from cryoweave.cli import console, options

if TYPE_CHECKING:
    from cryoweave.pipeline.plan import Plan


def plan(
    recipe: options.Named = None,
    map_: options.Map = None,
    sequence: options.Sequences = None,
    rna: options.Rna = None,
    dna: options.Dna = None,
    secondary_structure: options.Secondary = None,
    model: options.ModelFiles = None,
    reference: options.Reference = None,
    given: options.Given = None,
    chain: options.Chain = None,
    swap: options.Swap = None,
    set_: options.Set = None,
    output: options.Output = None,
    start: options.Start = None,
    until: options.Until = None,
    force: options.Force = None,
    replace: options.Replace = False,
    reuse: options.Reuse = None,
    ignore_checks: options.IgnoreChecks = False,
    seed: options.Seed = None,
    time_budget: options.TimeBudget = None,
    json: console.Json = False,
) -> None:
    """Check a run and show what it would do, step by step and why. Nothing is written."""
    from cryoweave.pipeline.chain import load_recipe
    from cryoweave.pipeline.inputs import model_inputs
    from cryoweave.pipeline.plan import plan as make
    from cryoweave.pipeline.run import default_folder

    chosen = options.recipe_of(recipe, chain, swap)
    density = options.map_of(map_, chosen)
    made = make(
        chosen,
        {
            "density": density,
            "sequences": options.sequences_of(sequence, rna, dna),
            "reference": reference,
            **model_inputs(chosen, model),
            **options.given_of(given),
        },
        set_ or [],
        secondary_structure=secondary_structure,
        output=output or default_folder(load_recipe(chosen), density),
        start=start,
        until=until,
        force=force or [],
        replace=replace,
        reuse=reuse or [],
        ignore_checks=ignore_checks,
        seed=seed,
        time_budget=options.seconds_of(time_budget),
    )
    show(made, json)


def show(made: "Plan", json: bool) -> None:
    """The plan on stdout, what is odd on stderr."""
    from cryoweave.pipeline.gate import told

    for finding in made.findings:
        console.say(f"warning: {told(finding)}", "yellow")
    if json:
        console.data_json(made.to_dict())
        return
    rows = []
    for entry in made.steps:
        step = entry.step
        takes = ", ".join(f"{name} = {source}" for name, source in step.sources.items())
        params = step.params.model_dump(mode="json", exclude_defaults=True)
        changed = ", ".join(f"{name}={value}" for name, value in params.items())
        rows.append((step.name, step.stage.id, takes, step.stage.gives.__name__, changed, entry.action, entry.reason))
    console.table(("step", "stage", "takes", "gives", "parameters", "action", "why"), rows)
    for name, reason in made.left_out.items():
        console.data(f"{name} is left out: {reason}")
    for name in made.unused:
        console.say(f"warning: no step takes the input {name}", "yellow")
