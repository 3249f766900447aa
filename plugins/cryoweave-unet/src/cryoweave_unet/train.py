"""Training that may stop at any moment: everything is in one state file, written whole every few minutes."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cryoweave.errors import InputError, StageError
from cryoweave_unet.tasks import DETECT, Task
from cryoweave_unet.workers import Samples, Workers

STATE, LOG = "state.pt", "log.jsonl"


@dataclass(frozen=True)
class Settings:
    """What decides the weights, with the training set.

    Parameters
    ----------
    seed
        Of weights and samples.
    batch
        Samples a step.
    rate
        Learning rate of AdamW after the first ``warm`` steps; constant, because the mean of the weights is used.
    warm, decay
        Steps until the full rate; weight decay.
    average
        Of the weights: each step the mean moves by ``1 - average`` towards them (less at first).
    """

    seed: int = 0
    batch: int = 4
    rate: float = 1e-3
    warm: int = 200
    decay: float = 0.02
    average: float = 0.9985


class Training:
    """A network on its way.

    Parameters
    ----------
    folder
        Where the state is kept; what lies there goes on.
    source
        Of the samples.
    settings
        See there.
    threads
        Of the network.
    workers
        Processes that make samples.
    begin_worker
        Called first in each of them; to be pickled.
    start
        Weights to begin with where the folder has no state.
    task
        What is learned.

    Raises
    ------
    InputError
        If the folder holds the training of another task or is damaged.
    """

    def __init__(
        self,
        folder: Path,
        source: Samples,
        settings: Settings,
        threads: int = 1,
        workers: int = 1,
        begin_worker: Callable[[], object] | None = None,
        start: dict[str, torch.Tensor] | None = None,
        task: Task = DETECT,
    ) -> None:
        self.folder, self.source, self.settings, self.task = folder, source, settings, task
        self.workers, self.begin_worker = workers, begin_worker
        torch.set_num_threads(threads)
        torch.manual_seed(settings.seed)
        self.net = task.build()
        if start is not None:
            self.net.load_state_dict(start)
        self.mean = copy.deepcopy(self.net)
        self.net = self.net.to(memory_format=torch.channels_last_3d)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), settings.rate, weight_decay=settings.decay)
        # Elsewhere its convolutions take a hundred times as long as those in float32.
        self.half = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.step, self.seconds = 0, 0.0
        if (folder / STATE).exists():
            self._load()

    def run(
        self, minutes: float, report: Callable[[int, dict[str, float]], object], every: int = 50, save: float = 3.0
    ) -> None:
        """Train for some time; the state is saved every ``save`` minutes and at the end, also when interrupted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        begin = last = time.monotonic()
        sums: list[dict[str, float]] = []
        first = self.step * self.settings.batch
        with Workers(self.source, first, self.workers, self.begin_worker) as workers:
            try:
                while time.monotonic() - begin < 60 * minutes:
                    found = self._advance(self.task.collate([next(workers) for _ in range(self.settings.batch)]))
                    sums.append(found)
                    if self.step % every == 0:
                        means = {name: sum(one[name] for one in sums) / len(sums) for name in found}
                        self._log(means)
                        report(self.step, means)
                        sums = []
                    now = time.monotonic()
                    if now - last > 60 * save:
                        self.seconds += now - last
                        last = now
                        self._save()
            except StageError:  # the last state is better than one that has diverged
                raise
            except BaseException:
                self._keep(last)
                raise
            self._keep(last)

    def _keep(self, last: float) -> None:
        self.seconds += time.monotonic() - last
        self._save()

    def _advance(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * min(1.0, (self.step + 1) / settings.warm)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            losses = self.task.losses(self.net, batch)
        total: Any = sum(self.task.weights[name] * value for name, value in losses.items())
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        if not torch.isfinite(norm):
            raise StageError(f"training diverges at step {self.step}", "go on from the last state with a lower rate")
        self.optimizer.step()
        self.step += 1
        self._average()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _average(self) -> None:
        keep = min(self.settings.average, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for mean, now in zip(self.mean.state_dict().values(), self.net.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - keep)
                else:
                    mean.copy_(now)

    def _save(self) -> None:
        part = self.folder / (STATE + ".part")
        torch.save(
            {
                "net": self.net.state_dict(),
                "mean": self.mean.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "task": self.task.name,
            },
            part,
        )
        part.replace(self.folder / STATE)

    def _load(self) -> None:
        path = self.folder / STATE
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            if found["task"] != self.task.name:
                raise ValueError(f"it learns {found['task']}")
            self.net.load_state_dict(found["net"])
            self.mean.load_state_dict(found["mean"])
            self.optimizer.load_state_dict(found["optimizer"])
            self.step, self.seconds = int(found["step"]), float(found["seconds"])
        except Exception as error:  # torch tells a damaged file by many kinds of errors
            raise InputError(f"{path} is no state of this training: {error}", "give another folder") from error

    def _log(self, losses: dict[str, float]) -> None:
        entry = {"step": self.step, "samples": self.step * self.settings.batch, **losses}
        with (self.folder / LOG).open("a") as file:
            file.write(json.dumps({name: round(value, 4) for name, value in entry.items()}) + "\n")


def mean_of(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The averaged weights of a training, and what is to be known of them.

    Raises
    ------
    InputError
        If the folder holds no training.
    """
    path = folder / STATE
    if not path.is_file():
        raise InputError(f"{folder} holds no {STATE}", "give the folder of `cryoweave detect train`")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        about = {"task": found["task"], "steps": str(found["step"]), "minutes": f"{found['seconds'] / 60:.0f}"}
        return found["mean"], about
    except Exception as error:  # torch tells a damaged file by many kinds of errors
        raise InputError(f"{path} is no state of a training: {error}", "give another folder") from error
