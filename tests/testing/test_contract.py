"""The contract passes a good stage, and each of its tests fails the stage that breaks that promise."""

import sys
import time
from types import ModuleType

import numpy as np
import pytest

from cryoweave.data import DensityMap, PointCloud
from cryoweave.errors import StageError
from cryoweave.host import Context, Kind, Params, Stage, param
from cryoweave.testing import StageContract, ideal_model, make_registry, simulated_map
from cryoweave.testing.contract import interrupted


class Settings(Params):
    contour: float = param(1.0, "Density above which a voxel counts.", unit="map", gt=0.0)


def good(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
    ctx.progress(0, 1)
    above = np.argwhere(density.values > params.contour)
    if not len(above):
        raise StageError("no density above the contour", "lower `contour`")
    return PointCloud(density.frame.to_xyz(above), density.values[tuple(above.T)])


def contract(monkeypatch, function, params=Settings, **changes):
    module = ModuleType("stage_under_test")
    module.function = function
    monkeypatch.setitem(sys.modules, "stage_under_test", module)
    record = {
        "id": "test.good",
        "kind": Kind.DETECT,
        "summary": "Voxels above a contour.",
        "load": "stage_under_test:function",
        "takes": {"density": DensityMap},
        "gives": PointCloud,
        "params": params,
    }
    stage = Stage(**{**record, **changes})

    class Contract(StageContract):
        stage_id = "test.good"

        def registry(self):
            return make_registry([stage])

        def inputs(self):
            return {"density": simulated_map(ideal_model("HHHHHH"), resolution=4.0)}

    return Contract()


def run_all(made, tmp_path):
    made.test_parameters_are_documented_and_bounded()
    made.test_signature_is_what_the_record_says()
    made.test_gives_what_it_says_and_leaves_inputs_alone(tmp_path)
    made.test_same_seed_gives_the_same_result(tmp_path)
    made.test_an_empty_input_is_a_clear_error(tmp_path)
    made.test_progress_can_stop_it(tmp_path)


def test_a_good_stage_passes(monkeypatch, tmp_path):
    run_all(contract(monkeypatch, good), tmp_path)


def test_no_help_line(monkeypatch):
    class Silent(Params):
        contour: float = param(1.0, "", gt=0.0)

    with pytest.raises(AssertionError, match="no description"):
        contract(monkeypatch, good, Silent).test_parameters_are_documented_and_bounded()


def test_no_bounds(monkeypatch):
    class Unbounded(Params):
        contour: float = param(1.0, "A number.")

    with pytest.raises(AssertionError, match="without bounds"):
        contract(monkeypatch, good, Unbounded).test_parameters_are_documented_and_bounded()


def test_a_unit_only_in_words(monkeypatch):
    class Wordy(Params):
        contour: float = param(1.0, "Distance in Å.", gt=0.0)

    with pytest.raises(AssertionError, match="unit"):
        contract(monkeypatch, good, Wordy).test_parameters_are_documented_and_bounded()


def test_a_default_outside_its_bounds(monkeypatch):
    class Impossible(Params):
        contour: float = param(1.0, "A number.", gt=2.0)

    with pytest.raises(ValueError, match="greater than 2"):
        contract(monkeypatch, good, Impossible).test_parameters_are_documented_and_bounded()


def test_another_signature(monkeypatch):
    def other(map: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        raise AssertionError

    with pytest.raises(AssertionError):
        contract(monkeypatch, other).test_signature_is_what_the_record_says()


def test_another_annotation(monkeypatch):
    def other(density: PointCloud, params: Settings, ctx: Context) -> PointCloud:
        raise AssertionError

    with pytest.raises(AssertionError, match="annotated"):
        contract(monkeypatch, other).test_signature_is_what_the_record_says()


def test_an_optional_input_is_annotated_so(monkeypatch):
    def optional(density: DensityMap | None, params: Settings, ctx: Context) -> PointCloud:
        raise AssertionError

    contract(monkeypatch, optional, optional=("density",)).test_signature_is_what_the_record_says()
    with pytest.raises(AssertionError, match="annotated"):
        contract(monkeypatch, optional).test_signature_is_what_the_record_says()


def test_another_output(monkeypatch, tmp_path):
    def other(density, params, ctx):
        return density

    with pytest.raises(AssertionError):
        contract(monkeypatch, other).test_gives_what_it_says_and_leaves_inputs_alone(tmp_path)


def test_an_input_changed_in_place(monkeypatch, tmp_path):
    def spoils(density, params, ctx):
        density.values.flags.writeable = True
        density.values[0, 0, 0] = 9.0
        return good(density, params, ctx)

    made = contract(monkeypatch, spoils)
    writable = made.inputs()["density"]
    monkeypatch.setattr(made, "inputs", lambda: {"density": writable})
    with pytest.raises(AssertionError):
        made.test_gives_what_it_says_and_leaves_inputs_alone(tmp_path)


def test_another_result_each_time(monkeypatch, tmp_path):
    def random(density, params, ctx):
        return PointCloud(np.random.default_rng().normal(size=(3, 3)), np.ones(3))

    with pytest.raises(AssertionError):
        contract(monkeypatch, random).test_same_seed_gives_the_same_result(tmp_path)


@pytest.mark.parametrize("hint", [None, ""])
def test_an_empty_map_without_a_clear_error(monkeypatch, tmp_path, hint):
    def careless(density, params, ctx):
        if hint is not None and not density.values.any():
            raise StageError("nothing there", hint)
        return PointCloud(np.zeros((1, 3)), np.ones(1))

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        contract(monkeypatch, careless).test_an_empty_input_is_a_clear_error(tmp_path)


def test_progress_swallowed(monkeypatch, tmp_path):
    def deaf(density, params, ctx):
        try:
            ctx.progress(0, 1)
        except KeyboardInterrupt:
            ctx.log.info("ignored")
        return good(density, params, Context())

    with pytest.raises(AssertionError, match="swallowed"):
        contract(monkeypatch, deaf).test_progress_can_stop_it(tmp_path)


def busy(seconds):
    """For so many seconds of processor time, which is what an interrupt is measured by on a busy machine."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_long_stage_that_stops(monkeypatch, tmp_path):
    def long(density, params, ctx):
        busy(0.4)

    contract(monkeypatch, long).test_interrupt_ends_it_within_a_second(tmp_path)


def test_a_long_stage_that_does_not(monkeypatch, tmp_path):
    def stubborn(density, params, ctx):
        try:
            busy(0.4)
        except KeyboardInterrupt:
            busy(0.1)

    with pytest.raises(AssertionError, match="swallowed"):
        contract(monkeypatch, stubborn).test_interrupt_ends_it_within_a_second(tmp_path)


def test_the_time_after_the_signal_is_measured():
    def slow_to_stop():
        try:
            busy(1.0)
        except KeyboardInterrupt:
            busy(0.3)
            raise

    late = interrupted(slow_to_stop, after=0.05)
    assert late is not None
    assert late > 0.05


def test_work_that_is_done_too_soon_is_done_again():
    lasts = [0.0, 0.0, 5.0]

    def work():
        time.sleep(lasts.pop(0))

    late = interrupted(work, after=0.2)
    assert late is not None
    assert late < 1
    assert not lasts


def test_work_that_swallows_the_signal_is_not_done_again():
    began = []

    def deaf():
        began.append(time.perf_counter())
        try:
            time.sleep(5)
        except KeyboardInterrupt:
            return

    assert interrupted(deaf, after=0.05) is None
    assert len(began) == 1
