"""The worst regions are found where they are."""

import numpy as np
import pytest

from cryoweave.data import Metric, Model
from cryoweave.io.models import read_model
from cryoweave.report.columns import Column, scale_of
from cryoweave.report.regions import MOST, worst_regions


def trace(n=200, chain="A", first=1):
    return Model.from_trace(
        np.zeros((n, 3)), np.full(n, "ALA"), np.full(n, chain), np.arange(first, first + n).astype(np.int32),
        np.zeros(n, np.float32),
    )  # fmt: skip


def column(name, values, better=True, unit=""):
    metric = Metric(f"what {name} is", unit, better)
    values = np.asarray(values, dtype=float)
    return Column(name, metric, values, scale_of(values, metric))


def noise(seed, n=200):
    return np.random.default_rng(seed).normal(0.6, 0.05, n)


def test_a_bad_stretch_is_the_first_with_its_scores_in_words():
    q, distance = noise(0), noise(1)
    q[99:115] -= 0.5
    distance[100:114] += 2.0
    first = worst_regions(trace(), [column("q", q), column("distance", distance, better=False, unit="Å")])[0]
    assert first.chain == "A"
    assert abs(int(first.first) - 100) <= 2
    assert abs(int(first.last) - 115) <= 2
    assert {found.name for found in first.findings} == {"q", "distance"}
    assert str(first).startswith(f"residues {first.first}–{first.last} of chain A: ")
    assert first.numbers == (int(first.first), int(first.last))


def test_at_most_ten_and_never_across_chains_or_gaps():
    values = noise(2, 2000)
    for start in range(20, 2000, 80):
        values[start : start + 10] -= 0.5
    assert len(worst_regions(trace(2000), [column("q", values)])) == MOST
    two = [trace(100, "A"), trace(100, "B")]
    both = Model(**{k: np.concatenate([getattr(one, k) for one in two]) for k in two[0].__dataclass_fields__})
    values = noise(3)
    values[95:105] -= 0.5
    regions = worst_regions(both, [column("q", values)])
    assert {region.chain for region in regions[:2]} == {"A", "B"}
    assert all(int(region.last) - int(region.first) < 10 for region in regions[:2])


def test_regions_never_overlap():
    """The case of a model half outside: scores with tails that overlap by less than half."""
    shared, first, second = noise(8, 600), noise(9, 600), noise(10, 600)
    first[50:90] -= 0.5
    second[80:110] -= 0.5
    shared[50:70] -= 0.5
    shared[95:110] -= 0.5
    columns = [column("first", first), column("second", second)]
    one, other = worst_regions(trace(600), columns)[:2]
    assert [abs(one.numbers[0] - 51) <= 3, abs(other.numbers[1] - 110) <= 3] == [True, True]
    assert one.numbers[1] + 1 == other.numbers[0], "the lesser begins where the other ends"
    together = worst_regions(trace(600), [*columns, column("shared", shared)])[0]
    assert abs(together.numbers[0] - 51) <= 3
    assert abs(together.numbers[1] - 110) <= 3
    assert {found.name for found in together.findings} == {"first", "second", "shared"}


def test_equal_chains_take_one_place():
    chains = [trace(200, name) for name in "ABCD"]
    chains[3] = trace(200, "D", first=1001)
    four = Model(**{k: np.concatenate([getattr(one, k) for one in chains]) for k in chains[0].__dataclass_fields__})
    values = noise(11, 800)
    for start in (40, 241, 440, 640):
        values[start : start + 20] -= 0.6
    values[100:120] -= 0.4
    found = worst_regions(four, [column("q", values)])
    assert [(one.chain, len(one.copies)) for one in found[:2]] in ([("A", 2), ("D", 0)], [("D", 0), ("A", 2)], [
        ("B", 2), ("D", 0)], [("C", 2), ("D", 0)], [("D", 0), ("B", 2)], [("D", 0), ("C", 2)])  # fmt: skip
    grouped = next(one for one in found if one.copies)
    assert {text.rpartition(" ")[2] for text in grouped.copies} | {grouped.chain} == {"A", "B", "C"}
    assert ", ".join(grouped.copies) in str(grouped)
    assert "101" in {one.first for one in found} or any(abs(one.numbers[0] - 101) < 3 for one in found)


def test_a_contour_that_half_the_model_is_outside_of_is_no_finding():
    inclusion, support = np.full(200, 0.4), noise(12)
    inclusion[50:65], support[50:65] = 0.0, 0.1
    inclusion += noise(13) - 0.6
    remarks = [one.remark for one in worst_regions(trace(), [column("inclusion", inclusion), column("q", support)])]
    assert not any("contour" in remark for remark in remarks)


def test_scores_that_say_nothing_give_no_region():
    n = 200
    same, nan, few = np.ones(n), np.full(n, np.nan), np.full(n, np.nan)
    few[:5] = [0, 1, 0, 1, 0]
    columns = [column("same", same), column("nan", np.append(nan[1:], 1.0)), column("few", few)]
    assert worst_regions(trace(), [*columns, column("neutral", noise(4), better=None)]) == []
    assert worst_regions(trace(0), []) == []


def test_rare_outliers_join_a_region_but_make_none():
    outliers = np.zeros(200)
    outliers[[20, 22, 24, 150, 152, 154]] = 1
    q = noise(5)
    q[148:158] -= 0.5
    assert worst_regions(trace(), [column("outlier", outliers, better=False)]) == []
    first = worst_regions(trace(), [column("q", q), column("outlier", outliers, better=False)])[0]
    assert [found.name for found in first.findings] == ["q", "outlier"]


def test_remarks_follow_from_what_is_bad():
    types, support, shift = noise(6), noise(7), np.zeros(200)
    types[50:65] -= 1.5
    columns = [column("type_aa", types), column("q_0.6", support)]
    assert "likely a register shift" in worst_regions(trace(), columns)[0].remark
    short = noise(6)
    short[50:52] -= 3.0
    assert worst_regions(trace(), [column("type_aa", short)])[0].remark == ""
    shift[50:65] = 3
    known = [*columns, column("register_shift", shift, better=None)]
    assert worst_regions(trace(), known)[0].remark == "the register is shifted by +3 against the reference"
    outside = [*columns, column("inclusion", np.where(shift > 0, 0.2, 1.0))]
    assert "outside of the contour" in worst_regions(trace(), outside)[0].remark


def test_the_known_error_of_3j6b_chain_9_is_the_worst_region(shared):
    """Published raw scores of the residue types stand in the B column; helix 227–241 is out of register."""
    file = shared / "maps" / "emd2566_3j6b9" / "dqa_raw_score.pdb"
    model = read_model(file).trace_atoms()
    first = worst_regions(model, [column("type_aa", model.b_factor)])[0]
    assert (first.chain, first.first) == ("9", "227")
    assert 227 <= int(first.last) <= 241
    assert first.findings[0].mean == pytest.approx(-0.47, abs=0.01)
    assert "likely a register shift" in first.remark
