"""Curves, the histogram, the Ramachandran plot and the heat maps of large models."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from cryoweave.data import Curve, DensityMap, Frame, Metric, Model, ScoreTable
from cryoweave.report import curves, page, strips, torsions
from cryoweave.report.columns import MOST_VALUES, Column, Scale, carried, columns_of, places_of, scale_of

GOOD = Metric("a score", "", True)
SHELLS = ("spatial frequency (1/Å)", "Fourier shell correlation")


def fsc(n=21):
    x = np.linspace(0, 0.4, n)
    return Curve(x, 1 - x / 0.4, *SHELLS, "correlation of map and model")


def points(path):
    """Positions in an SVG path of moves and lines, and how many moves there are."""
    numbers = path.replace("M", " ").replace("L", " ").split()
    return np.array(numbers, dtype=float).reshape(-1, 2), path.count("M")


def test_a_curve_runs_from_corner_to_corner():
    (plot,) = curves.curve_plots({"": {"fsc_model": fsc()}})
    at, moves = points(plot.lines[0].path)
    assert moves == 1
    assert at[0].tolist() == [curves.LEFT, curves.TOP]
    assert at[-1].tolist() == [curves.RIGHT, curves.BOTTOM]
    assert plot.lines[0].definition == "correlation of map and model"


def test_correlations_have_the_two_thresholds_and_resolutions_at_the_axis():
    (plot,) = curves.curve_plots({"": {"fsc_model": fsc()}})
    assert [label for _, label in plot.y_rules] == ["0.5", "0.143"]
    half = plot.y_rules[0][0]
    assert half == pytest.approx((curves.TOP + curves.BOTTOM) / 2)
    assert (pytest.approx(curves.LEFT + (curves.RIGHT - curves.LEFT) / 2, abs=0.1), "1/5") in plot.x_ticks


def test_curves_with_the_same_axes_share_a_plot():
    other = Curve(np.arange(3.0), np.arange(3.0), "contour (map)", "share of atoms", "inclusion")
    first, second = curves.curve_plots({"": {"fsc_model": fsc(), "inclusion": other, "fsc_half": fsc()}}, contour=0.5)
    assert [line.name for line in first.lines] == ["fsc_model", "fsc_half"]
    assert len({line.color for line in first.lines}) == 2
    assert [label for _, label in second.x_rules] == ["contour 0.5"]
    assert second.y_rules == []


def test_a_missing_value_breaks_the_curve_and_a_long_one_is_thinned():
    y = np.linspace(0, 2, 5000)
    y[2000:3000] = np.nan
    (plot,) = curves.curve_plots({"": {"long": Curve(np.arange(5000.0), y, "x", "y", "d")}})
    at, moves = points(plot.lines[0].path)
    assert moves == 2
    assert len(at) <= curves.MOST_POINTS


def test_curves_without_values_are_left_out():
    none = Curve(np.arange(3.0), np.full(3, np.nan), "x", "y", "d")
    flat = Curve(np.arange(3.0), np.zeros(3), "x", "y", "d")
    assert curves.curve_plots({"": {"none": none, "empty": Curve(np.zeros(0), np.zeros(0), "x", "y", "d")}}) == []
    (plot,) = curves.curve_plots({"": {"flat": flat}})
    assert np.isfinite(points(plot.lines[0].path)[0]).all()


def test_curves_of_several_models_bear_their_names():
    (plot,) = curves.curve_plots({"a.cif": {"fsc_model": fsc()}, "b.cif": {"fsc_model": fsc()}})
    assert [line.name for line in plot.lines] == ["a.cif: fsc_model", "b.cif: fsc_model"]
    assert plot.title == "fsc_model"


def test_the_histogram_counts_every_voxel_once():
    values = np.repeat(np.arange(4, dtype=np.float32), [1000, 100, 10, 1]).reshape(11, 101, 1)
    plot = curves.histogram(DensityMap(values, Frame(values.shape)), contour=2.5)
    at, _ = points(plot.lines[0].path)
    up = np.log10([1000, 100, 10, 1]) / 3
    heights = curves.BOTTOM + up * (curves.TOP - curves.BOTTOM)
    assert set(np.round(heights, 1)) <= set(at[:, 1])
    assert at[0].tolist() == [curves.LEFT, curves.TOP]
    assert [label for _, label in plot.y_ticks] == ["1", "10", "100", "1000"]
    assert [label for _, label in plot.x_rules] == ["contour 2.5"]
    assert curves.histogram(DensityMap(np.ones((2, 2, 2), np.float32), Frame((2, 2, 2)))) is None


def rama(phi, psi, outcome=None):
    n = len(phi)
    columns = {"phi": np.array(phi, float), "psi": np.array(psi, float)}
    if outcome is not None:
        columns["rama_outcome"] = np.array(outcome, float)
    return ScoreTable(
        np.full(n, "A"), np.arange(1, n + 1, dtype=np.int32), np.full(n, ""), np.full(n, "ALA"),
        columns, {}, dict.fromkeys(columns, GOOD),
    )  # fmt: skip


def test_ramachandran_points_stand_where_their_angles_are():
    plot = torsions.ramachandran(rama([-180, 0, 180, 60, np.nan], [180, 0, -180, 60, 0], [2, 1, 2, 0, 2]))
    assert (plot.residues, plot.outliers) == (4, 1)
    left, top, middle = torsions.LEFT, torsions.TOP, torsions.SIDE / 2
    assert plot.allowed == f"M{left + middle:.1f} {top + middle:.1f}h0"
    assert f"M{left:.1f} " in plot.favoured
    (mark,) = plot.marks
    assert (mark.chain, mark.number, mark.words) == ("A", 4, "A 4 ALA: φ 60°, ψ 60°")
    assert (mark.x, mark.y) == (left + 240, top + 120)


def test_ramachandran_without_outcomes_or_angles():
    plot = torsions.ramachandran(rama([60, 70], [60, 70]))
    assert (plot.classified, plot.marks, plot.allowed) == (False, [], "")
    assert torsions.ramachandran(rama([np.nan], [1])) is None
    assert torsions.ramachandran(None) is None


def test_outlines_lie_behind_the_points_and_are_no_curves_of_their_own():
    x, y = np.array([-180.0, 0, 0, -180, 0, 10, 20, 30]), np.array([180.0, 180, 0, 180, np.nan, -10, -20, -10])
    table = rama([-60, 60], [-40, 40], [2, 0])
    table = replace(table, curves={"wide": Curve(x, y, "phi", "psi", "what is allowed"), "fsc_model": fsc()})
    plot = torsions.ramachandran(table)
    assert [region.definition for region in plot.regions] == ["what is allowed"]
    assert plot.regions[0].path == "M40.0 10.0L220.0 10.0L220.0 190.0L40.0 10.0ZM230.0 200.0L240.0 210.0L250.0 200.0Z"
    assert list(table.functions()) == ["fsc_model"]
    template = page.environment().get_template("plots.html.j2")
    text = template.module.ramachandran_plot(plot)
    assert text.index('class="region"') < text.index('class="frame"') < text.index('class="dots"')
    assert "Shaded: what is allowed." in text
    assert "Shaded" not in template.module.ramachandran_plot(torsions.ramachandran(rama([60], [60])))


def model(numbers, codes=None, chain="A"):
    n = len(numbers)
    apart = 10 * np.arange(n)[:, None] * np.ones(3)
    made = Model.from_trace(
        apart, np.full(n, "ALA"), np.full(n, chain), np.array(numbers, np.int32), np.zeros(n, np.float32)
    )
    columns = {name: getattr(made, name) for name in made.__dataclass_fields__}
    return Model(**{**columns, "insertion_code": np.array(codes or [""] * n)})


@pytest.mark.parametrize(
    ("numbers", "codes", "places"),
    [
        ([5, 6, 9], None, [0, 1, 4]),
        ([52, 52, 52, 53], ["", "A", "B", ""], [0, 1, 2, 3]),
        ([10, 9, 8], None, [0, 1, 2]),
        ([1, 5001, 5002], None, [0, 30, 31]),
        ([-3, -1, 2], None, [0, 2, 5]),
    ],
)
def test_places_follow_the_numbers_and_tell_insertion_codes_apart(numbers, codes, places):
    trace = model(numbers, codes)
    assert places_of(trace, np.arange(len(numbers))).tolist() == places
    near = replace(trace, xyz=trace.xyz / 10)
    assert places_of(near, np.arange(len(numbers))).tolist() == list(range(len(numbers))), "bonded"


def test_insertion_codes_have_bars_of_their_own():
    trace = model([52, 52, 52, 53], ["", "A", "B", ""])
    values = np.array([0.1, 0.2, 0.3, 0.4])
    (chain,) = strips.chain_plots(trace, [Column("s", GOOD, values, scale_of(values, GOOD))])
    starts = {part.split(" ")[0] for _, path in chain.strips[0].paths for part in path.split("M")[1:]}
    assert len(starts) == 4
    assert (chain.first, chain.last) == ("52", "53")


def test_a_large_model_has_heat_maps_in_the_colours_of_its_scores():
    n = strips.MOST_BARS // 2 + 1
    trace = model(range(1, n + 1))
    values = np.zeros(n)
    values[-1], values[5] = 1.0, np.nan
    columns = [Column(name, GOOD, values, scale_of(values, GOOD)) for name in "ab"]
    (chain,) = strips.chain_plots(trace, columns)
    assert chain.strips == []
    pixels = np.rint(imread(io.BytesIO(base64.b64decode(chain.heat)), format="png")[..., :3] * 255)
    assert pixels.shape[:2] == (2, n)
    assert pixels[0, 0].tolist() == [0xD7, 0x30, 0x27]
    assert pixels[1, -1].tolist() == [0x45, 0x75, 0xB4]
    assert pixels[0, 5].tolist() == [0xA3, 0xA8, 0xAE]


def test_names_beside_a_heat_map_have_room():
    n = strips.MOST_BARS // 2 + 1
    trace, values = model(range(1, n + 1)), np.zeros(n)
    columns = [Column(name, GOOD, values, scale_of(values, GOOD)) for name in ("ca_distance_next", "q")]
    (chain,) = strips.chain_plots(trace, columns)
    assert chain.left > strips.LEFT
    assert chain.left >= 4 + 5.5 * len("ca_distance_next")
    assert chain.left + n * chain.slot == pytest.approx(strips.LEFT + strips.WIDTH)


@pytest.mark.parametrize(("low", "labels"), [(-0.0189, ["-0.0189", "1"]), (-0.5, ["-0.5", "1", "0"])])
def test_labels_of_an_axis_do_not_collide(low, labels):
    values = np.array([low, 0.3, 1.0])
    column = Column("s", GOOD, values, Scale(("#000000", "#ffffff"), low, 1.0))
    (chain,) = strips.chain_plots(model([1, 2, 3]), [column])
    assert [label for _, label in chain.strips[0].ticks] == labels


def test_the_first_column_says_what_is_good():
    trace, n = model(range(1, 31)), 30
    even, rare = np.linspace(0, 1, n), np.eye(1, n)[0]
    columns = {"distance": even, "outliers": rare, "deviation": even, "rama": even}
    better = dict(zip(columns, (None, False, False, True), strict=True))
    metrics = {name: Metric(name, "", better[name]) for name in columns}

    def first(*names):
        identity = (trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name)
        table = ScoreTable(*identity, {name: columns[name] for name in names}, {}, metrics)
        return columns_of(trace, table)[0].name

    assert first("distance", "outliers", "deviation", "rama") == "rama"
    assert first("distance", "outliers", "deviation") == "deviation"
    assert first("distance", "outliers") == "outliers"
    assert first("outliers", "rama") == "outliers", "the order stays where it does"
    assert first("distance") == "distance"


def test_a_page_carries_the_scores_that_say_what_is_good_first():
    values = np.zeros(3)
    plain = Metric("neither good nor bad")
    columns = [Column(f"c{i}", plain if i < 2 else GOOD, values, scale_of(values, GOOD)) for i in range(4)]
    assert carried(columns, 10) == columns
    assert [c.name for c in carried(columns, MOST_VALUES // 3)] == ["c0", "c2", "c3"]
    assert [c.name for c in carried(columns, MOST_VALUES * 2)] == ["c2"]


def test_angles_and_the_b_column_of_other_programs():
    trace = model([1, 2])
    trace = replace(trace, b_factor=np.array([20.0, 90.0]))
    scores = rama([60, 70], [60, 70])
    scores = ScoreTable(
        scores.chain, scores.residue_number, scores.insertion_code, scores.residue_name,
        {**scores.residues, "q": [0.1, 0.2]}, {}, {"phi": Metric("φ", "°"), "psi": Metric("ψ", "°"), "q": GOOD},
    )  # fmt: skip
    assert [column.name for column in columns_of(trace, scores, built=False)] == ["q", "b_factor"]
    sure = replace(trace, b_is_confidence=np.ones(2, bool))
    assert [column.name for column in columns_of(sure, scores, built=False)] == ["q", "confidence"]
    assert [column.name for column in columns_of(sure, scores)] == ["confidence", "q"]


def test_values_with_a_unit_fill_their_scale():
    low = np.linspace(0.1, 0.3, 100)
    assert scale_of(low, Metric("", "map", True)).high < 0.31
    assert scale_of(low, GOOD).high == 1
