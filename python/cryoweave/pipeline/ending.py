"""The end of a run: the files that people open, and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryoweave.data import Model, ScoreTable
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.outputs import REPORT, UNFINISHED, merge_scores, replaced_outputs, write_outputs, write_scripts
from cryoweave.pipeline.record import EARLIER, Record
from cryoweave.pipeline.wiring import Wired

if TYPE_CHECKING:
    from cryoweave.report.folder import RunFolder


def finish(
    folder: Path,
    wired: Wired,
    record: Record,
    inputs: Mapping[str, RunInput],
    model: Model | None,
    tables: Sequence[tuple[str, ScoreTable]],
) -> ScoreTable | None:
    """Write all files of a run that is done; its scores in one table."""
    from cryoweave.report import read_run

    scores = merge_scores(tables)
    cut = len(wired.steps) + len(wired.left_out) < len(wired.recipe.steps)
    outputs: dict[str, str] = {}
    if EARLIER not in record.entries or not cut or model is not None or scores is not None:
        outputs = _replace_outputs(folder, wired, record, inputs, model, scores)
    record.write(state="done", outputs=outputs)
    shown = read_run(folder)
    density, reference = inputs.get("density"), inputs.get("reference")
    if model is not None and density is not None:
        outputs |= write_scripts(
            folder,
            model,
            scores,
            map_path=density.paths[0],
            reference_path=reference.paths[0] if reference else None,
            level=shown.contour if shown.density is not None else None,
        )
        record.write(outputs=outputs)
    report(folder, record, shown)
    return scores


def _replace_outputs(
    folder: Path,
    wired: Wired,
    record: Record,
    inputs: Mapping[str, RunInput],
    model: Model | None,
    scores: ScoreTable | None,
) -> dict[str, str]:
    sequences = inputs.get("sequences")
    with replaced_outputs(folder) as staged:
        outputs = write_outputs(
            staged, model, scores, sequences=sequences.value if sequences else None, dois=_dois(wired)
        )
        record.entries.pop(EARLIER, None)
        record.write()  # killed from here on, the next run knows that what lies there is nobody's
    return outputs


def report(folder: Path, record: Record, shown: "RunFolder | None" = None) -> None:
    """Write the report: beside that of an earlier run whose files are still there, and then without these.

    Parameters
    ----------
    folder, record
        The run folder and its record.
    shown
        What ``read_run`` made of the folder, if that was done already.
    """
    from cryoweave.io.atomic import atomic_file
    from cryoweave.report import read_run, write_report

    name = REPORT
    if EARLIER in record.entries:
        from cryoweave.report.page import render

        shown = shown or read_run(folder)
        name, shown.model, shown.scores = UNFINISHED, None, None
        with atomic_file(folder / name) as temporary:
            temporary.write_text(render(shown), encoding="utf-8")
    else:
        write_report(folder, shown)
    record.write(outputs={**record.entries["outputs"], "report": name})


def _dois(wired: Wired) -> dict[str, str]:
    dois = dict.fromkeys(wired.recipe.cites, f"cryoweave recipe {wired.recipe.id}")
    for step in wired.steps:
        for doi in step.stage.cites:
            dois.setdefault(doi, f"cryoweave stage {step.stage.id}")
    return dois
