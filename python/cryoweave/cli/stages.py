"""``cryoweave stages``: the steps that recipes are made of."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import UsageError

if TYPE_CHECKING:
    from cryoweave.host import Registry, Stage
    from cryoweave.host.params import ParamRow

app = typer.Typer(help="The stages that recipes and chains are made of.", no_args_is_help=True)


@app.command("list")
def list_stages(
    kind: Annotated[str, typer.Option("--kind", help="Only stages of this kind, e.g. trace.")] = "",
    as_json: console.Json = False,
) -> None:
    """Id, kind, inputs, output and summary of each stage."""
    from cryoweave.host import Kind, registry

    if kind and kind not in list(Kind):
        raise UsageError(f"there is no kind {kind!r}", f"kinds: {', '.join(Kind)}")
    found = registry()
    order = list(Kind)
    stages = sorted(found.stages.values(), key=lambda stage: (order.index(stage.kind), stage.id))
    rows = [_head(found, stage) for stage in stages if kind in ("", stage.kind)]
    if as_json:
        console.data_json(rows)
        return
    console.table(
        ("stage", "kind", "takes", "gives", "summary"),
        [(row["id"], row["kind"], _inputs(row), row["gives"], row["summary"]) for row in rows],
    )


@app.command("show")
def show(
    stage: Annotated[str, typer.Argument(metavar="ID", help="The stage's id, as in the list.")],
    as_json: console.Json = False,
) -> None:
    """What a stage takes, gives and needs, its parameters and whom it cites."""
    from cryoweave.host import registry
    from cryoweave.host.params import describe

    found = registry()
    record = found.stage(stage)
    head, params = _head(found, record), describe(record.params)
    if as_json:
        console.data_json({**head, "params": params, "schema": record.params.model_json_schema()})
        return
    console.data(f"{record.id}  {record.summary}")
    for name, value in (
        ("kind", record.kind),
        ("takes", _inputs(head)),
        ("gives", head["gives"]),
        ("needs", ", ".join(record.needs)),
        ("search", "ends within --time-budget with the best it has" if record.anytime else ""),
        ("cites", ", ".join(record.cites)),
        ("package", f"{head['package']}, version {record.version} of the stage"),
    ):
        if value:
            console.data(f"  {name:8} {value}")
    if params:
        console.data("")
        console.table(
            ("parameter", "type", "default", "unit", "bounds", "description", "source"),
            [(p.name, p.type, p.default, p.unit, p.bounds, _described(record, p), p.source) for p in params],
        )


def _described(stage: "Stage", param: "ParamRow") -> str:
    own = stage.is_validator and param.option
    return f"{param.description} (`cryoweave validate {param.option}`)" if own else param.description


def _head(found: "Registry", stage: "Stage") -> dict[str, Any]:
    return {
        "id": stage.id,
        "kind": stage.kind,
        "summary": stage.summary,
        "takes": {name: kind.__name__ for name, kind in stage.takes.items()},
        "optional": stage.optional,
        "gives": stage.gives.__name__,
        "needs": stage.needs,
        "anytime": stage.anytime,
        "cites": stage.cites,
        "version": stage.version,
        "package": found.package_of("stages", stage.id),
    }


def _inputs(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}: {kind}{' (optional)' if name in row['optional'] else ''}" for name, kind in row["takes"].items()
    )
