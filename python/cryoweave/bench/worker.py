"""The process of one cell: ``python -m cryoweave.bench.worker FOLDER``. It runs the recipe, then judges the model.

Exit code 0 says that there are scores; any other comes with ``error.json``, unless the process was killed.
"""

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryoweave.bench.cells import SHARED, inputs_of
from cryoweave.bench.sheet import Target
from cryoweave.errors import CryoweaveError, StageError

SPEC, ERROR, RUN, VALIDATION = "cell-input.json", "error.json", "run", "validation"
_BUG = 4


def work(folder: Path, lenders: list[str]) -> None:
    """Run and judge the cell whose ``cell-input.json`` lies in the folder.

    Raises
    ------
    CryoweaveError
        If the run or all validators fail, or the run gives no model.
    """
    from cryoweave.pipeline.run import run

    spec = json.loads((folder / SPEC).read_bytes())
    target = Target.model_validate(spec["target"])
    inputs = inputs_of(target, spec["source"])
    models = inputs.pop("models", None) or inputs.pop("model", None)
    result = run(
        spec["source"],
        map=inputs.pop("density"),
        sequences=inputs.pop("sequences", None) if "sequences" in spec["takes"] else None,
        model=models if {"model", "models"} & set(spec["takes"]) else None,
        secondary_structure=target.secondary_structure if "sequences" in spec["takes"] else None,
        output=folder / RUN,
        settings=spec["settings"],
        replace=True,
        reuse=lenders,
        seed=spec["seed"],
        threads=spec["threads"],
        device=spec["device"],
        time_budget=spec["time_budget"],
        given={name: path for name, path in inputs.items() if name in spec["takes"]},
        pages=False,  # those of the validation show the same model, and how good it is
    )
    judge(built(folder / RUN, result.record["outputs"]), target, spec, folder / VALIDATION)


def built(run: Path, outputs: Mapping[str, str]) -> Path:
    """The model of a run: what it built, or what it placed in its best pose.

    Raises
    ------
    StageError
        If it has none.
    """
    name = outputs.get("model") or outputs.get("fit")
    if name is None:
        raise StageError("the run gave no model", "end the recipe with a stage that builds or places one")
    return run / name


def judge(model: Path, target: Target, spec: dict[str, Any], folder: Path) -> None:
    """Scores of a model by the validators that all cells have, in a folder as ``cryoweave validate`` writes it.

    Raises
    ------
    CryoweaveError
        If none gives a score: the error of the first that failed.
    """
    from cryoweave.pipeline.agreement import check_given, check_placed
    from cryoweave.pipeline.inputs import load_inputs
    from cryoweave.pipeline.subject import read_subject
    from cryoweave.pipeline.validated import Judged, check_place, write_validation
    from cryoweave.pipeline.validation import validate

    given = {"density": target.map, "reference": target.reference, "sequences": target.sequences()}
    inputs = load_inputs({name: value for name, value in given.items() if value is not None})
    check_place(folder, target.files().values())
    subject = read_subject(model)
    common: dict[str, Any] = {name: getattr(target, name) for name in SHARED} | {"threads": spec["threads"]}
    common["symmetry"] = target.equal_copies
    values = {name: entry.value for name, entry in inputs.items()}
    result = validate(subject.model, **values, stages=spec["validators"], offered=None, **common)
    if result.scores is None:
        raise next(iter(result.failed.values()), StageError("no validator judges this model", "give a reference"))
    findings = (*check_given(inputs, target.resolution), *check_placed(subject.model, values["density"]))
    judged = Judged(spec["cell"], subject.model, subject.path, result, list(subject.notes), findings)
    write_validation(folder, judged, inputs, **common, pages=spec["pages"])


def main(folder: Path, parent: int, lenders: list[str]) -> int:
    """Do the work; an error becomes ``error.json`` and the exit code."""
    from cryoweave.io.tables import write_json

    end_with(parent)
    try:
        work(folder, lenders)
    except CryoweaveError as error:
        write_json(folder / ERROR, {"error": str(error), "hint": error.hint})
        return error.exit_code
    except MemoryError as error:
        write_json(folder / ERROR, {"error": f"not enough memory: {error}", "hint": ""})
        return 1
    except Exception as error:
        write_json(folder / ERROR, {"error": f"{type(error).__name__}: {error}", "hint": "a bug, in output.txt"})
        traceback.print_exc()
        return _BUG
    return 0


def end_with(parent: int) -> None:
    """Have the kernel kill this process when the one that watches it dies, where it can; else its end is not seen.

    A cell that outlived its watcher would hold the folder that the next one wants.
    """
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    gc.freeze()  # what is left goes with the process; to look through it for garbage takes a tenth of a second
    sys.exit(code)
