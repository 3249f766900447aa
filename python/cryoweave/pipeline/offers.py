"""What one stage makes for a validator to which nobody gave what it needs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryoweave import host
from cryoweave.errors import CryoweaveError, NotGivenError
from cryoweave.host.context import Fact
from cryoweave.host.records import Stage, Step, load_object
from cryoweave.pipeline.events import warned
from cryoweave.pipeline.execute import bug_in, run_stage
from cryoweave.pipeline.settings import check_params

Progress = Callable[[str, int, int], object]
"""Called with a stage's id, units done and units in all."""


@dataclass(frozen=True)
class Offer:
    """An input of a validator.

    Parameters
    ----------
    stage
        Id of the stage that was to make it.
    name
        Of the input.
    value
        The input; None if the stage could not make it.
    problem
        Why it could not.
    notes
        What the stage warned of.
    facts
        What it noted of itself.
    """

    stage: str
    name: str
    value: Any = None
    problem: CryoweaveError | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Any]:
        """What it adds to the validator's inputs."""
        return {} if self.value is None else {self.name: self.value}

    @property
    def excuse(self) -> str:
        """Why there is none, to be added to what the validator lacks."""
        return f"; {self.problem}: {self.problem.hint}" if self.problem else ""


NO_OFFER = Offer("", "")


def offers_for(
    validators: Collection[Stage],
    present: Mapping[str, Any],
    params: Mapping[str, Mapping[str, Any]],
    *,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> dict[str, Offer]:
    """What other stages make for these validators, by the validator's id.

    Parameters
    ----------
    validators
        Those that are to run.
    present
        Inputs that are there, by name.
    params
        Of each validator; one whose own check passes needs no offer.
    seed, threads
        As for a run.
    progress
        See :data:`Progress`.
    """
    found: dict[str, Offer] = {}
    for stage in validators:
        for maker in host.registry().stages.values():
            made = stage.id in found and found[stage.id].value is not None
            if made or stage.id not in maker.offers or not _in_need(stage, params.get(stage.id, {})):
                continue
            inputs = {name: present[name] for name in maker.takes if name in present}
            name = next((one for one in stage.optional if stage.takes[one] is maker.gives), None)
            if name is None or not set(maker.takes) <= {*inputs, *maker.optional}:
                continue

            def told(done: int, total: int, stage_id: str = maker.id) -> None:
                if progress:
                    progress(stage_id, done, total)

            facts: dict[str, Fact] = {}
            try:
                with warned(f"cryoweave.stage.{maker.id}") as notes:
                    value = run_stage(maker.id, seed=seed, threads=threads, progress=told, facts=facts, **inputs)
                found[stage.id] = Offer(maker.id, name, value, notes=tuple(notes), facts=facts)
            except CryoweaveError as error:
                found[stage.id] = Offer(maker.id, name, problem=error)
            except Exception as error:  # a bug there must not cost the figures of other validators
                found[stage.id] = Offer(maker.id, name, problem=bug_in(maker.id, error))
    return found


def _in_need(stage: Stage, params: Mapping[str, Any]) -> bool:
    """Whether the stage's check says that something was not given."""
    if not stage.check:
        return False
    try:
        load_object(stage.check)(params=check_params(Step(stage.id, stage.id), stage, dict(params)))
    except NotGivenError:
        return True
    except CryoweaveError:
        return False
    return False
