"""A bench as a file for a queue or a workflow manager: each cell one call of ``cryoweave bench cell``."""

import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cryoweave.bench.drive import read_bench
from cryoweave.errors import UsageError

KINDS = {"slurm": "bench.sbatch", "snakemake": "Snakefile", "nextflow": "main.nf"}
"""What can be written, with its usual name."""
MOST_TASKS = 1000
"""Of one array; Slurm's own default allows one more. With more cells each task takes several."""


def _program() -> str:
    """The one beside this Python, by its whole path: a queue's shell has not activated the environment."""
    beside = Path(sys.executable).with_name("cryoweave")
    return shlex.quote(str(beside)) if beside.is_file() else "cryoweave"


@dataclass(frozen=True)
class Share:
    """What a cell may take, and how many run at once.

    Parameters
    ----------
    jobs
        At once.
    seconds, bytes
        Of each cell.
    """

    jobs: int
    seconds: float
    bytes: int

    @property
    def limits(self) -> str:
        """As options of ``cryoweave bench cell``."""
        return f"--time-limit {math.ceil(self.seconds)}s --memory-limit {self.bytes / 1e9:.3g}"

    @property
    def minutes(self) -> int:
        """That the queue is asked for: more than the cell may take, so that the cell itself says what happened."""
        return math.ceil(self.seconds / 60) + 5

    @property
    def megabytes(self) -> int:
        """That the queue is asked for, with room for what watches the cell."""
        return math.ceil(self.bytes / 1e6) + 500


def exported(kind: str, folder: Path, share: Share) -> str:
    """The text of the file.

    Parameters
    ----------
    kind
        One of `KINDS`.
    folder
        Of a bench that ``cryoweave bench run --dry-run`` prepared.
    share
        What cells may take.

    Raises
    ------
    UsageError
        If there is no such kind, or the folder holds no bench.
    """
    if kind not in KINDS:
        raise UsageError(f"cells cannot be written for {kind!r}", f"there are: {', '.join(KINDS)}")
    entries = read_bench(folder)
    place, cells, threads = folder.absolute(), len(entries["cells"]), int(entries["options"]["threads"])
    if kind == "slurm":
        return _slurm(place, cells, threads, share)
    return _snakemake(place, threads, share) if kind == "snakemake" else _nextflow(place, threads, share)


def _slurm(folder: Path, cells: int, threads: int, share: Share) -> str:
    tasks = min(cells, MOST_TASKS)
    each = math.ceil(cells / tasks)
    place = shlex.quote(str(folder))
    return f"""#!/bin/bash
# {cells} cells of a cryoweave bench. Send it with: sbatch {KINDS["slurm"]}
# When all have ended: cryoweave bench report {place}
#SBATCH --job-name=cryoweave-bench
#SBATCH --array=0-{tasks - 1}%{share.jobs}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem={share.megabytes}M
#SBATCH --time={each * share.minutes}
#SBATCH {shlex.quote(f"--output={folder}/slurm.txt")}
#SBATCH --open-mode=append
for ((cell = SLURM_ARRAY_TASK_ID; cell < {cells}; cell += {tasks})); do
    {_program()} bench cell {place} --number "$cell" {share.limits}
done
"""


def _snakemake(folder: Path, threads: int, share: Share) -> str:
    return f"""# A cryoweave bench. Run it with: snakemake --snakefile {KINDS["snakemake"]} --cores N
import json
from pathlib import Path

BENCH = Path({str(folder)!r})
CELLS = json.loads((BENCH / "bench.json").read_bytes())["cells"]


rule report:
    input: expand(str(BENCH / "cells" / "{{cell}}" / "cell.json"), cell=CELLS)
    shell: "{_program()} bench report {{BENCH:q}} --show none"


# A cell that fails leaves its cell.json too: that is a result, and the others go on.
rule cell:
    output: str(BENCH / "cells" / "{{cell}}" / "cell.json")
    threads: {threads}
    resources: mem_mb={share.megabytes}, runtime={share.minutes}
    shell: "{_program()} bench cell {{BENCH:q}} {{wildcards.cell:q}} {share.limits} || test -f {{output:q}}"
"""


def _nextflow(folder: Path, threads: int, share: Share) -> str:
    return f"""// A cryoweave bench. Run it with: nextflow run {KINDS["nextflow"]}
params.bench = {str(folder)!r}

// A cell that fails leaves its cell.json too: that is a result, and the others go on.
process cell {{
    cpus {threads}
    memory '{share.megabytes} MB'
    time '{share.minutes} min'
    maxForks {share.jobs}

    input:
    val id

    output:
    val id

    script:
    \"\"\"
    {_program()} bench cell '${{params.bench}}' '${{id}}' {share.limits} \\
        || test -f '${{params.bench}}/cells/${{id}}/cell.json'
    \"\"\"
}}

process report {{
    input:
    val ids

    script:
    \"\"\"
    {_program()} bench report '${{params.bench}}'
    \"\"\"
}}

workflow {{
    ids = Channel.fromList(new groovy.json.JsonSlurper().parse(file("${{params.bench}}/bench.json")).cells)
    cell(ids) | collect | report
}}
"""
