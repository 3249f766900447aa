"""The small map, the colours and the strips."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame, Metric, Model
from cryoweave.report import scene, strips
from cryoweave.report.columns import BETTER_HIGH, DIVERGING, NO_VALUE, Column, columns_of, scale_of

CA = Metric("a score", "", True)


def trace(n=6, number=1):
    xyz = np.column_stack((np.arange(n) * 3.8 + 20, np.full(n, 15.0), np.full(n, 12.0)))
    return Model.from_trace(
        xyz, np.full(n, "ALA"), np.full(n, "A"), np.arange(number, number + n).astype(np.int32), np.zeros(n, np.float32)
    )


def ramp(shape=(40, 50, 60), voxel=(1.0, 1.5, 2.0)):
    """Density that says where it is: z + 1000 y + 1e6 x would not fit float32, so only x counts."""
    frame = Frame(shape, voxel, (-3.0, 2.0, 1.0))
    x = frame.to_xyz(np.indices(shape).reshape(3, -1).T)[:, 0]
    return DensityMap(x.reshape(shape).astype(np.float32), frame)


def test_the_map_is_cut_five_angstrom_around_the_model_and_stays_in_place():
    density, model = ramp(), trace()
    part = scene.cropped(density, model.xyz)
    low, high = part.frame.to_xyz([[0, 0, 0], np.array(part.values.shape) - 1])
    assert (low <= model.xyz.min(axis=0) - 5).all()
    assert (high >= model.xyz.max(axis=0) + 5).all()
    assert part.values.size < density.values.size
    assert part.values[0, 0, 0] == pytest.approx(low[0])
    assert part.values[-1, -1, -1] == pytest.approx(high[0])


def test_of_a_map_that_the_model_is_far_from_all_is_shown():
    far = scene.cropped(ramp(), trace().xyz + 1e4)
    assert far.values.size == ramp().values.size


def test_a_large_map_is_averaged_and_stays_in_place():
    density = ramp((9, 10, 300))
    part = scene.cropped(density, None)
    assert max(part.values.shape) <= scene.LONGEST_SIDE
    assert part.frame.voxel_xyz == (3.0, 4.5, 6.0)
    first, last = part.frame.to_xyz([[0, 0, 0], np.array(part.values.shape) - 1])
    assert part.values[0, 0, 0] == pytest.approx(first[0])
    assert part.values[-1, -1, -1] == pytest.approx(last[0])


def test_rounding_keeps_the_density_around_the_contour():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (20, 20, 20)).astype(np.float32)
    small = scene.reduced(DensityMap(values, Frame((20, 20, 20))), 0.0, 1.0, 2.0)
    back = small.floor + small.step * small.levels.values
    near = (values > small.lowest) & (values < small.highest)
    assert np.abs(back - values)[near].max() <= small.step / 2 + 1e-5
    assert small.floor < small.lowest < small.contour < small.highest
    assert set(np.unique(small.levels.values)) <= set(range(128))


@pytest.mark.parametrize("contour", [-1.0, 0.0, 5.0])
def test_any_contour_has_a_range_around_it(contour):
    flat = DensityMap(np.zeros((4, 4, 4), np.float32), Frame((4, 4, 4)))
    small = scene.reduced(flat, 0.0, 0.0, contour)
    assert small.lowest < contour < small.highest
    assert np.isfinite(small.levels.values).all()


def test_the_archive_holds_a_snapshot_per_score_with_author_numbers():
    model = trace(number=-2)
    values = np.array([0, 0.25, 0.5, 0.75, 1, np.nan])
    columns = [Column("a {b}", CA, values, scale_of(values, CA)), Column("c", CA, values, scale_of(values, CA))]
    packed = scene.archive(None, model, columns, None)
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        index, rows = json.loads(opened.read("index.mvsj")), json.loads(opened.read("scores.json"))
        assert opened.read("model.cif").startswith(b"data_model")
    assert [s["metadata"]["key"] for s in index["snapshots"]] == ["c0", "c1"]
    assert rows[0] == {"auth_asym_id": "A", "auth_seq_id": -2, "n": "ALA", "p": 0, "c0": 0.0, "c1": 0.0}
    assert "c0" not in rows[-1]
    assert '"schema": "auth_residue"' in json.dumps(index)
    assert "a (b): {}" in json.dumps(index)


def test_the_view_looks_across_the_longest_extent():
    xyz = np.array([[0, 0, 0], [2, 0, 40], [-2, 0, 80], [0, 1, 40]], dtype=float)
    view = scene.best_view(xyz)
    right = np.cross(view["direction"], view["up"])
    assert abs(right[2]) > 0.99
    assert view["half"][0] == pytest.approx(40, abs=0.5)
    assert view["target"][2] == pytest.approx(40, abs=0.5)


def test_scales_follow_what_is_better():
    ones = np.array([0.0, 0.5, 1.0])
    assert scale_of(ones, CA).stops()[0] == (BETTER_HIGH[0], 0.0)
    assert scale_of(ones, Metric("", "Å", False)).colors == BETTER_HIGH[::-1]
    shift = scale_of(np.array([-3.0, 0, 0, 8]), Metric(""))
    assert (shift.colors, shift.low, shift.high) == (DIVERGING, -8, 8)
    same = scale_of(np.full(5, 7.0), CA)
    assert same.low < same.high


def test_colours_are_those_of_the_ends_and_grey_without_a_value():
    scale = scale_of(np.array([0.0, 1.0]), CA)
    as_hex = ["#" + "".join(f"{round(v * 255):02x}" for v in rgb) for rgb in scale.rgb(np.array([-5, 9, np.nan]))]
    assert as_hex == [BETTER_HIGH[0], BETTER_HIGH[-1], NO_VALUE]


def test_the_confidence_fills_its_scale():
    model = trace(3)
    b_factor = np.array([0, 20, 50], np.float32)
    model = replace(model, b_factor=b_factor, b_is_confidence=np.ones(3, bool))
    (column,) = columns_of(model, None)
    assert (column.scale.low, column.scale.high) == (0, 0.5)
    (foreign,) = columns_of(replace(model, b_factor=b_factor / 100), None, built=False)
    np.testing.assert_allclose(foreign.values, [0, 0.2, 0.5], rtol=1e-6)


def test_a_constant_confidence_is_no_column():
    assert columns_of(trace(), None) == []


def test_a_strip_has_a_bar_or_a_mark_for_each_residue():
    model = trace(6, number=10)
    values = np.array([0.1, 0.9, np.nan, 0.4, 0.0, 1.0])
    (chain,) = strips.chain_plots(model, [Column("s", CA, values, scale_of(values, CA))])
    (strip,) = chain.strips
    assert sum(path.count("M") for _, path in strip.paths) == 5
    assert strip.missing.count("M") == strip.without == 1
    best = dict(strip.paths)[BETTER_HIGH[-1]]
    assert best == f"M{strips.LEFT + 5.5 * chain.slot:.1f} {strips.TOP + strips.HEIGHT:.1f}V{strips.TOP:.1f}"
