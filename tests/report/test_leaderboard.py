"""The page of a bench: figures, places of recipes, models over each other."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import Metric
from cryoweave.data.means import Mean
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.kernels.symmetry import symmetry_of
from cryoweave.report.leaderboard import Block, Board, Contender, Entry, cost_plot, write
from cryoweave.report.overlay import Overlay, chains_of, color_of, residue_states
from cryoweave.testing import ideal_model, simulated_map

RECALL, SECONDS = Metric("share that is found", "", True), Metric("time", "s", False)
MODEL = ideal_model("H" * 20 + "C" * 5 + "E" * 10)


def mean(value, low=math.nan, high=math.nan, count=2):
    return Mean(value, low, high, count)


def block(name, metric, values, differences=()):
    """A block of two maps; ``values`` by recipe."""
    entries = [[Entry(value, report=f"cells/{i}/report.html") for value in values] for i in range(2)]
    order = sorted(range(len(values)), key=lambda j: -values[j])
    return Block(name, metric, order, [mean(value) for value in values], entries, differences)


def board(**changes):
    pairs = [[mean(0.0), mean(-0.3, -0.4, -0.2, 9)], [mean(0.3, 0.2, 0.4, 9), mean(0.0)]]
    blocks = [block("recall", RECALL, [0.5, 0.8], pairs), block("seconds", SECONDS, [10.0, 1000.0])]
    given = {
        "title": "2 recipes on 2 maps", "facts": [("Judged by", "<b>all</b>")],
        "contenders": [Contender("quick", ["map"], 2, 0, 0), Contender("slow", ["map", "sequences"], 1, 1, 0)],
        "maps": [("one", "masked"), ("two", "")], "blocks": blocks, "cost": blocks[1],
    }  # fmt: skip
    return Board(**{**given, **changes})


def test_the_page_shows_every_figure(tmp_path):
    text = write(tmp_path / "page.html", board()).read_text("utf-8")
    assert "2 recipes on 2 maps" in text
    assert "&lt;b&gt;all&lt;/b&gt;" in text
    assert re.search(r"<code>slow</code>.*<code>quick</code>", text, re.DOTALL), "the best first"
    assert 'href="cells/1/report.html">0.800</a> ★' in text
    assert re.search(r'class="num best"><strong>\+0.300</strong>.*\[0.200, 0.400\]', text)
    assert re.search(r'class="num worse"><strong>-0.300</strong>', text)
    assert '<span class="state-failed">1 failed</span>' in text
    assert "There is no earlier bench" in text
    assert "molstar" not in text, "without models no viewer"
    assert "http://" not in text
    assert "https://" not in text


def test_failures_and_changes_are_shown(tmp_path):
    failures = [("one/slow/0", "cells/one/slow/0", "crashed", "SIGSEGV <x>")]
    text = write(tmp_path / "p.html", board(failures=failures, changes=[("a/b/0", "recall 0.1 → 0.2")], before="May"))
    text = text.read_text("utf-8")
    assert "SIGSEGV &lt;x&gt;" in text
    assert "recall 0.1 → 0.2" in text
    nothing = write(tmp_path / "q.html", board(changes=[], before="May")).read_text("utf-8")
    assert "Nothing since May" in nothing
    assert "No cell gave scores" in write(tmp_path / "r.html", board(blocks=[], cost=None)).read_text("utf-8")


def test_seen_and_unfit_are_marked(tmp_path):
    marked = block("recall", RECALL, [0.5, 0.8])
    entries = [[Entry(0.5, seen=True), Entry(math.nan, "unfit")], *marked.entries[1:]]
    text = write(tmp_path / "page.html", board(blocks=[replace(marked, entries=entries)])).read_text("utf-8")
    assert text.count('<sup title="weights') == 1
    assert '<span class="tag">unfit</span>' in text


def test_cost_is_on_a_scale_of_powers_of_ten():
    plot = cost_plot(board())
    assert [label for _, label in plot.x_ticks] == ["10", "100", "1000"]
    quick, slow = plot.marks
    assert quick.x < slow.x
    assert quick.y > slow.y, "better is higher up"
    assert (quick.color, slow.color) == (color_of(0), color_of(1))
    assert slow.words == "slow: 0.800 after 1\u2009000"
    assert cost_plot(board(cost=None)) is None
    assert cost_plot(board(blocks=[block("recall", RECALL, [math.nan, 0.5])])) is None


def test_residues_are_right_elsewhere_or_missing():
    trace = MODEL.trace_atoms()
    n = len(trace)
    assert (residue_states(trace, trace) == 2).all()
    assert (residue_states(trace, replace(trace, xyz=trace.xyz + 50)) == 0).all()
    half = residue_states(trace, trace.select(np.arange(n) < 12))
    assert (half[:12] == 2).all()
    assert (half[14:] == 0).all()
    backwards = residue_states(trace, replace(trace, xyz=trace.xyz[::-1]))
    assert (backwards > 0).all()
    assert (backwards == 2).mean() < 0.2
    assert not residue_states(trace, trace.select(slice(0, 0))).any()


def test_a_row_for_each_model_and_a_picture_for_each_chain():
    trace = MODEL.trace_atoms()
    two = ideal_model("H" * 12, chain="B").trace_atoms()
    first, second = chains_of(trace, [("all", trace), ("none", two)])[0], chains_of(two, [("all", two)])[0]
    assert first.rows == [("all", 1.0, 1.0), ("none", pytest.approx(first.rows[1][1]), first.rows[1][2])]
    assert first.residues == len(trace)
    assert second.chain == "B"
    assert first.picture != second.picture


def test_a_model_on_another_copy_has_the_residues():
    trace, density = MODEL.trace_atoms(), simulated_map(MODEL)
    group = symmetry_of("C2", density.frame, trace.xyz.max(axis=0) + 10.0)
    (row,) = chains_of(trace, [("other copy", replace(trace, xyz=group.copies(trace.xyz)[1]))], group)
    assert row.rows == [("other copy", 1.0, 1.0)]
    both = joined_models(with_own_chains(replace(trace, xyz=xyz) for xyz in group.copies(trace.xyz)))
    (row,) = chains_of(trace, [("both", both)], group)
    assert row.rows == [("both", 1.0, 1.0)]


def test_models_over_each_other_in_a_browser(browser, tmp_path):
    models = [("good", MODEL, 0), ("shifted", replace(MODEL, xyz=MODEL.xyz + 4.0), 1)]
    overlay = Overlay("one", simulated_map(MODEL), None, MODEL, None, models)
    browser.open(write(tmp_path / "page.html", board(overlay=overlay)))
    browser.evaluate("document.getElementById('viewer-start').click()")
    browser.wait_for("['ready', 'failed'].includes(document.body.dataset.viewer)")
    status = browser.evaluate("document.getElementById('viewer-status').textContent")
    assert browser.evaluate("document.body.dataset.viewer") == "ready", status
    assert browser.evaluate("document.querySelectorAll('[data-show^=pose-]').length") == 2
    found = "cryoweaveViewer.plugin.state.data.selectQ(q => q.root.subtree().withTag('mvs-ref:pose-2'))[0]"
    hidden = f"{found}.state.isHidden === true"
    assert browser.evaluate(hidden) is False
    browser.evaluate("document.querySelector('[data-show=pose-2]').click()")
    assert browser.evaluate(hidden) is True
    assert not browser.trouble()
    assert not browser.requests()[1:], "the page and nothing else"
