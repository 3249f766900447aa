"""The best stretch of a sequence along bonded points, against dense tables and all stretches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.chains import out_of_reach
from cryoweave.kernels.stretches import SHORTEST, Rules, Ways, best_stretches, leaps

NEVER = np.float32(-1e6)
RULES = Rules(0.0, 2, 1.0, 0.5, 1, 100, 0.0, 3.8, 1.0)
seeds = st.integers(0, 2**32 - 1)


def best_stretch(*given):
    return next(iter(best_stretches(*given)), None)


def walk(n, seed):
    """A crowded walk, so that points have several neighbours."""
    step = np.random.default_rng(seed).normal(size=(n, 3))
    return np.cumsum(3.8 * step / np.linalg.norm(step, axis=1, keepdims=True), axis=0)


def ways_of(xyz, seed, rules=RULES):
    """Steps between all points 2 to 6 Å apart, with bonds by chance, equal ones among them."""
    apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    tail, head = np.nonzero((apart >= 2) & (apart <= 6))
    bond = -np.random.default_rng(seed).integers(0, 4, len(tail)).astype(np.float32) / 2
    before, after = np.nonzero((head[:, None] == tail[None]) & (tail[:, None] != head[None]))
    order = np.lexsort((before, after))
    return Ways(
        tail.astype(np.int32),
        head.astype(np.int32),
        bond,
        before[order].astype(np.int32),
        after[order].astype(np.int32),
        *leaps(xyz, rules.gap, rules.step, rules.slack),
    )


class Dense:
    """The same by tables of residues times points and steps, all sums in them."""

    def __init__(self, scores, ways, rules):
        self.ways, self.rules = ways, rules
        n, points = scores.shape
        m = len(ways.tail)
        self.step = np.full((n, m), NEVER, np.float32)
        self.fresh, self.point = np.empty((2, n, points), np.float32)
        for r in range(n):
            self.fresh[r] = scores[r] + np.maximum(self.leapt(r, points), 0)
            self.point[r] = self.fresh[r]
            for s in range(m) if r else ():
                before = self.fresh[r - 1, ways.tail[s]]
                before = self.step[r - 1, ways.before[ways.after == s]].max(initial=before)
                self.step[r, s] = before + ways.bond[s] + scores[r, ways.head[s]]
                self.point[r, ways.head[s]] = max(self.point[r, ways.head[s]], self.step[r, s])

    def cost(self, gap):
        return np.float32(self.rules.gap_open + self.rules.gap_extend * (gap - 1))

    def leapt(self, r, points):
        found = np.full(points, NEVER, np.float32)
        for gap in range(1, min(self.rules.gap, r - 1) + 1):
            for a, b, fewest in zip(*self.ways[5:], strict=True):
                if fewest <= gap:
                    found[b] = max(found[b], self.point[r - 1 - gap, a] - self.cost(gap))
        return found

    def best(self):
        r, i = np.indices(self.point.shape)
        order = np.lexsort((i.ravel(), r.ravel(), -self.point.ravel()))
        seen, found, worth = set(), [], self.rules.least
        for r, i in zip(*np.unravel_index(order, self.point.shape), strict=True):
            if self.point[r, i] <= self.rules.least or self.point[r, i] < worth or len(found) == self.rules.most:
                break
            score, way = self.traced(r, i)
            if (r, i) in seen or {p for _, p in way} & {p for _, one in found for _, p in one}:
                continue
            seen |= {*way}
            if len(way) >= self.rules.shortest and score > self.rules.least and score >= worth:
                found.append((score, way))
                worth = found[0][0] * self.rules.share
        return sorted(found, key=lambda one: -one[0])

    def traced(self, r, i):
        total, way, state = float(self.point[r, i]), [], (r, i, self.by_step(r, i))
        while state and state[1] not in {j for _, j in way} and len(way) < self.rules.longest:
            way.append(state[:2])
            state = self.previous(*state)
        left = float(self.fresh[state[:2]] if state[2] < 0 else self.step[state[0], state[2]]) if state else 0.0
        return total - left, way[::-1]

    def by_step(self, r, i):
        steps = np.flatnonzero(self.ways.head == i)
        best = self.step[r, steps]
        return int(steps[best.argmax()]) if len(steps) and best.max() > self.fresh[r, i] else -1

    def previous(self, r, i, step):
        if step < 0:
            return self.leap_back(r, i)
        tail = self.ways.tail[step]
        earlier = np.sort(self.ways.before[self.ways.after == step])
        values = self.step[r - 1, earlier]
        by_step = values.max(initial=NEVER) > self.fresh[r - 1, tail]
        return r - 1, tail, int(earlier[values.argmax()]) if by_step else -1

    def leap_back(self, r, i):
        best, found = 0.0, None
        for gap in range(1, min(self.rules.gap, r - 1) + 1):
            for a in np.sort(self.ways.start[(self.ways.end == i) & (self.ways.fewest <= gap)]):
                if self.point[r - 1 - gap, a] - self.cost(gap) > best:
                    best = self.point[r - 1 - gap, a] - self.cost(gap)
                    found = (r - 1 - gap, a, self.by_step(r - 1 - gap, a))
        return found


def open_scores(scores, xyz, used, chain, rules):
    """What may be placed at all."""
    found = np.where(used[None], NEVER, scores)
    found[out_of_reach(xyz, chain, rules.step, rules.slack).T] = NEVER
    found[~np.isnan(chain[:, 0])] = NEVER
    return found - np.float32(rules.threshold)


@st.composite
def problems(draw):
    seed, points, residues = draw(seeds), draw(st.integers(2, 14)), draw(st.integers(1, 12))
    rng = np.random.default_rng(seed)
    xyz = walk(points, seed)
    # Few different scores, so that many sums are equal.
    scores = (rng.integers(-4, 5, (residues, points)) / 2).astype(np.float32)
    used = rng.random(points) < draw(st.sampled_from([0, 0.2]))
    chain = np.full((residues, 3), np.nan)
    placed = rng.random(residues) < draw(st.sampled_from([0, 0.3]))
    chain[placed] = walk(residues, seed + 1)[placed]
    rules = Rules(
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.integers(0, 3)),
        draw(st.sampled_from([0.0, 1.0])),
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.integers(1, 4)),
        draw(st.integers(4, 9)),
        draw(st.sampled_from([0.0, 1.5])),
        3.8,
        1.0,
        draw(st.integers(1, 4)),
        draw(st.sampled_from([0.0, 0.6])),
    )
    return scores, ways_of(xyz, seed, rules), xyz, used, chain, rules


@settings(max_examples=300, deadline=None)
@given(problems())
def test_the_stretches_are_those_of_the_dense_tables(problem):
    scores, ways, xyz, used, chain, rules = problem
    found = best_stretches(*problem)
    wanted = Dense(open_scores(scores, xyz, used, chain, rules), ways, rules).best()
    pieces = [(one.score, list(zip(one.residue.tolist(), one.point.tolist(), strict=True))) for one in found]
    assert pieces == wanted


def slow_best(scores, ways, rules):
    """The best sum of all stretches, grown residue by residue; points may repeat."""
    follow = {*zip(ways.before.tolist(), ways.after.tolist(), strict=True)}
    best, states = 0.0, {}
    for r in range(len(scores)):
        for i in range(scores.shape[1]):
            start = 0.0
            for gap in range(1, rules.gap + 1):
                near = {int(a) for a, b, few in zip(*ways[5:], strict=True) if b == i and few <= gap}
                for (q, j, _), value in states.items():
                    if q == r - 1 - gap and j in near:
                        start = max(start, value - rules.gap_open - rules.gap_extend * (gap - 1))
            states[r, i, -1] = scores[r, i] + start
        for s, (i, j) in enumerate(zip(ways.tail.tolist(), ways.head.tolist(), strict=True)):
            ends = [-1, *(d for d in range(len(ways.tail)) if (d, s) in follow)]
            before = [states[r - 1, i, d] for d in ends if (r - 1, i, d) in states]
            if before:
                states[r, j, s] = max(before) + ways.bond[s] + scores[r, j]
        best = max(best, *(value for (q, _, _), value in states.items() if q == r))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_no_stretch_has_a_larger_sum(seed):
    xyz = walk(8, seed)
    ways = ways_of(xyz, seed)
    scores = np.random.default_rng(seed).normal(-0.5, 1.0, (7, 8)).astype(np.float32)
    wanted = slow_best(scores, ways, RULES)
    assert Dense(scores, ways, RULES).point.max() == pytest.approx(wanted, abs=1e-4)
    found = best_stretch(scores, ways, xyz, np.zeros(8, bool), np.full((7, 3), np.nan), RULES)
    assert 0 < found.score <= wanted + 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_a_stretch_is_worth_what_it_says_and_uses_no_point_twice(seed):
    xyz = walk(60, seed)
    ways = ways_of(xyz, seed)
    scores = np.random.default_rng(seed).normal(-0.5, 1.5, (50, 60)).astype(np.float32)
    found = best_stretch(scores, ways, xyz, np.zeros(60, bool), np.full((50, 3), np.nan), RULES)
    assert len({*found.point.tolist()}) == len(found.point) > 2
    worth = {(int(a), int(b)): w for a, b, w in zip(ways.tail, ways.head, ways.bond, strict=True)}
    total = scores[found.residue, found.point].sum()
    for k, gap in enumerate((np.diff(found.residue) - 1).tolist(), 1):
        total += -RULES.gap_open - RULES.gap_extend * (gap - 1) if gap else worth[found.point[k - 1], found.point[k]]
    # Cut short, it bears the cost of the bond or leap to its first residue.
    assert 0 < found.score <= total + 1e-3


def test_a_planted_stretch_is_found_around_a_hole_and_within_reach():
    xyz = np.arange(30)[:, None] * [3.8, 0, 0]
    ways = ways_of(xyz, 0)._replace(bond=np.zeros(58, np.float32))
    scores = np.full((20, 30), -3, np.float32)
    scores[np.arange(20), np.arange(5, 25)] = 2.0
    nothing, free = np.full((20, 3), np.nan), np.zeros(30, bool)
    found = best_stretch(scores, ways, xyz, free, nothing, RULES)
    assert (found.score, found.residue.tolist(), found.point.tolist()) == (40.0, [*range(20)], [*range(5, 25)])
    used = free.copy()
    used[15] = True
    found = best_stretch(scores, ways, xyz, used, nothing, RULES)
    assert found.residue.tolist() == [r for r in range(20) if r != 10]
    assert found.score == 37.0
    chain = nothing.copy()
    chain[19] = xyz[29]
    found = best_stretch(scores, ways, xyz, free, chain, RULES)
    assert found is None, "the last residue is five points from where the others fit"
    assert len(best_stretch(scores, ways, xyz, free, chain, RULES._replace(slack=19.0)).residue) == 19


def test_further_stretches_lie_on_other_points():
    xyz = np.concatenate([np.arange(12)[:, None] * [3.8, 0, 0], np.arange(12)[:, None] * [3.8, 0, 0] + [0, 30, 0]])
    ways = ways_of(xyz, 0)._replace(bond=np.zeros(44, np.float32))
    scores = np.full((12, 24), -3, np.float32)
    scores[np.arange(12), np.arange(12)] = 2.0
    scores[np.arange(12), np.arange(12, 24)] = 1.0
    given = (scores, ways, xyz, np.zeros(24, bool), np.full((12, 3), np.nan))
    assert [one.score for one in best_stretches(*given, RULES)] == [24.0]
    found = best_stretches(*given, RULES._replace(most=5))
    assert [(one.score, one.point.tolist()) for one in found] == [(24.0, [*range(12)]), (12.0, [*range(12, 24)])]
    assert len(best_stretches(*given, RULES._replace(most=5, share=0.6))) == 1


def test_too_short_and_too_poor_stretches_are_none():
    xyz = walk(9, 0)
    scores = np.full((7, 9), -5, np.float32)
    rest = (ways_of(xyz, 0), xyz, np.zeros(9, bool), np.full((7, 3), np.nan))
    assert best_stretch(scores, *rest, RULES) is None
    scores[4, 3] = 2
    assert best_stretch(scores, *rest, RULES).residue.tolist() == [4]
    assert best_stretch(scores, *rest, RULES._replace(shortest=2)) is None
    assert best_stretch(scores, *rest, RULES._replace(least=3.0)) is None
    assert best_stretch(scores, *rest, RULES._replace(threshold=2.0)) is None


def test_leaps_are_the_pairs_that_a_chain_bridges():
    xyz = walk(25, 1)
    start, end, fewest = leaps(xyz, 2, 3.8, 1.0)
    apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    wanted = [(a, b) for a, b in np.argwhere((apart >= SHORTEST) & (apart <= 3.8 * 3 + 1)).tolist() if a != b]
    assert sorted(zip(start.tolist(), end.tolist(), strict=True)) == wanted
    keys = list(zip(start.tolist(), fewest.tolist(), end.tolist(), strict=True))
    assert keys == sorted(keys)
    for a, b, few in zip(start, end, fewest, strict=True):
        assert apart[a, b] <= 3.8 * (few + 1) + 1 + 1e-9
        assert few == 1 or apart[a, b] > 3.8 * few + 1


def test_the_result_is_the_same_on_any_number_of_threads():
    xyz = walk(60, 3)
    ways = ways_of(xyz, 3)
    scores = np.random.default_rng(3).normal(-0.5, 1.5, (50, 60)).astype(np.float32)
    before, found = _core.threads(), []
    try:
        for threads in (1, 2, 4):
            _core.set_threads(threads)
            found.append(best_stretch(scores, ways, xyz, np.zeros(60, bool), np.full((50, 3), np.nan), RULES))
    finally:
        _core.set_threads(before)
    assert found[0].score == found[1].score == found[2].score
    np.testing.assert_array_equal(found[0].point, found[2].point)


def test_what_cannot_be_used_is_told():
    xyz = walk(9, 0)
    ways, used, chain = ways_of(xyz, 0), np.zeros(9, bool), np.full((7, 3), np.nan)
    scores = np.zeros((7, 9), np.float32)
    holed = scores.copy()
    holed[2, 3] = np.nan
    for wrong, message in (
        ((scores[:, :8], ways, xyz, used, chain, RULES), "scores and points differ in length"),
        ((scores, ways, xyz, used, chain[:5], RULES), "scores and residues differ in length"),
        ((scores, ways, xyz, used[:5], chain, RULES), "used and points differ in length"),
        ((holed, ways, xyz, used, chain, RULES), "row 2, column 3"),
        ((scores, ways._replace(head=ways.head + 9), xyz, used, chain, RULES), "a step names a point"),
        ((scores, ways._replace(tail=ways.tail[::-1].copy()), xyz, used, chain, RULES), "steps must ascend"),
        ((scores, ways._replace(after=ways.after[::-1].copy()), xyz, used, chain, RULES), "pairs of steps must ascend"),
        ((scores, ways._replace(before=ways.before - 1), xyz, used, chain, RULES), "a pair names a step"),
        ((scores, ways._replace(end=ways.end - 9), xyz, used, chain, RULES), "a leap names a point"),
        ((scores, ways._replace(start=ways.start[::-1].copy()), xyz, used, chain, RULES), "leaps must ascend"),
        ((scores, ways._replace(fewest=ways.fewest[::-1].copy()), xyz, used, chain, RULES), "by what they leave out"),
        ((scores, ways._replace(bond=ways.bond + 3), xyz, used, chain, RULES), "must not gain"),
        ((scores, ways, xyz, used, chain, RULES._replace(gap_open=-1.0)), "gap_open"),
        ((scores, ways, xyz, used, chain, RULES._replace(least=-1.0)), "least"),
    ):
        with pytest.raises(InputError, match=message):
            best_stretch(*wrong)
