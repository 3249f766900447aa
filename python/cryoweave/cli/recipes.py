"""``cryoweave recipes``: named chains of stages."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console

if TYPE_CHECKING:
    from cryoweave.host import Recipe, Registry, Step

app = typer.Typer(help="The recipes: named chains of stages.", no_args_is_help=True)


@app.command("list")
def list_recipes(as_json: console.Json = False) -> None:
    """Id, steps and summary of each recipe."""
    from cryoweave.host import registry

    found = registry()
    rows = [_head(found, found.recipes[name]) for name in sorted(found.recipes)]
    if as_json:
        console.data_json(rows)
        return
    console.table(
        ("recipe", "package", "steps", "summary"),
        [(r["id"], r["package"], len(r["steps"]), r["summary"]) for r in rows],
    )


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(metavar="ID", help="The recipe's id, as in the list.")],
    toml: Annotated[bool, typer.Option("--toml", help="As a file that `cryoweave run FILE.toml` takes.")] = False,
    as_json: console.Json = False,
) -> None:
    """A recipe's steps with the parameters that differ from their stages' defaults."""
    from cryoweave.host import registry

    found = registry()
    record = found.recipe(recipe)
    if toml:
        console.data(recipe_toml(record))
        return
    head = _head(found, record)
    if as_json:
        console.data_json(head)
        return
    console.data(f"{record.id}  {record.summary}")
    if record.cites:
        console.data(f"  cites    {', '.join(record.cites)}")
    console.data(f"  package  {head['package']}")
    console.data("")
    console.table(
        ("step", "stage", "parameters", "inputs", "summary"),
        [(s.name, s.stage, _settings(s.params), _settings(s.inputs), _summary(found, s)) for s in record.steps],
    )


def recipe_toml(recipe: "Recipe") -> str:
    """The recipe as TOML; ``Recipe.from_toml`` reads it back."""
    import tomli_w

    head = {"id": recipe.id, "summary": recipe.summary, "cites": list(recipe.cites)}
    steps = (tomli_w.dumps({"step": _step(step)}).replace("[step]", "[[step]]", 1) for step in recipe.steps)
    return "\n".join([tomli_w.dumps({"recipe": head}), *steps]).rstrip()


def _step(step: "Step") -> dict[str, Any]:
    entry: dict[str, Any] = {"stage": step.stage, "name": step.name}
    if step.optional:
        entry["optional"] = True
    params = {name: value for name, value in step.params.items() if value is not None}
    return {**entry, **({"params": params} if params else {}), **({"inputs": dict(step.inputs)} if step.inputs else {})}


def _head(found: "Registry", recipe: "Recipe") -> dict[str, Any]:
    return {
        "id": recipe.id,
        "summary": recipe.summary,
        "package": found.package_of("recipes", recipe.id),
        "cites": recipe.cites,
        "steps": [
            {"name": s.name, "stage": s.stage, "params": s.params, "inputs": s.inputs, "optional": s.optional}
            for s in recipe.steps
        ],
    }


def _summary(found: "Registry", step: "Step") -> str:
    if step.stage not in found.stages:
        return "no installed plugin brings this stage"
    return found.stages[step.stage].summary + (" (left out without its input)" if step.optional else "")


def _settings(values: Any) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())
