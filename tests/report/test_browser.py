"""The report in a real browser: it must draw, and load nothing."""

import base64
import io

import numpy as np
from matplotlib.image import imread

from cryoweave.report import read_run, write_report

START = "document.getElementById('viewer-start').click()"
ENDED = "['ready', 'failed'].includes(document.body.dataset.viewer)"
PICTURE = "cryoweaveViewer.plugin.helpers.viewportScreenshot.getImageDataUri()"


def picture(browser):
    """What the viewer shows, 0 to 255, shape (height, width, 3)."""
    png = base64.b64decode(browser.evaluate(PICTURE).partition(",")[2])
    return np.rint(imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


def reddish(image):
    """How many pixels are clearly more red than blue."""
    return int((image[..., 0] - image[..., 2] > 60).sum())


def bluish(image):
    """How many pixels are clearly more blue than red."""
    return int((image[..., 2] - image[..., 0] > 60).sum())


def start(browser, folder):
    browser.open(write_report(folder))
    browser.evaluate(START)
    browser.wait_for(ENDED)
    assert browser.evaluate("document.body.dataset.viewer") == "ready", browser.evaluate(
        "document.getElementById('viewer-status').textContent"
    )


def test_map_and_model_are_drawn_in_the_colours_of_the_scores(browser, run_folder):
    start(browser, run_folder)
    everything = picture(browser)
    colours = len(np.unique(everything.reshape(-1, 3), axis=0))
    assert colours > 1000
    assert reddish(everything) > 200, "the low end of the confidence is red"
    assert bluish(everything) > 200, "its high end is blue"

    browser.evaluate("document.querySelector('[data-show=model]').click()")
    browser.evaluate("document.querySelector('[data-show=reference]').click()")
    only_map = picture(browser)
    drawn = int((only_map.min(axis=2) < 250).sum())
    assert drawn > 0.02 * only_map[..., 0].size, "the surface is there without the model"
    assert reddish(only_map) == 0

    browser.evaluate("document.querySelector('[data-show=map]').click()")
    assert picture(browser).min() > 250, "nothing is left when all is hidden"

    browser.evaluate("document.querySelectorAll('input[name=column]')[1].click()")
    browser.evaluate("document.querySelector('[data-show=model]').click()")
    browser.wait_for("!document.querySelector('[data-legend=\"1\"]').hidden")
    other = picture(browser)
    assert abs(other - everything).max() > 60
    assert browser.requests() == [browser.evaluate("location.href")]
    assert browser.trouble() == []


def test_a_click_in_a_plot_goes_to_the_residue(browser, run_folder):
    start(browser, run_folder)
    before = browser.evaluate("cryoweaveViewer.plugin.canvas3d.camera.state.target.join()")
    browser.evaluate(
        """(() => {
          const svg = document.querySelector("svg.strip"), box = svg.getBoundingClientRect();
          const at = { clientX: box.left + box.width * 0.0715, clientY: box.top + 20 };  // first residue
          svg.dispatchEvent(new MouseEvent("pointermove", at));
          svg.dispatchEvent(new MouseEvent("click", at));
        })()"""
    )
    browser.wait_for("document.querySelector('.readout').textContent === 'A 5 ALA · confidence 0.1 · distance 0'", 10)
    browser.wait_for(f"cryoweaveViewer.plugin.canvas3d.camera.state.target.join() !== '{before}'", 20)
    assert browser.trouble() == []


def test_hostile_names_do_nothing(browser, hostile_folder):
    browser.open(write_report(hostile_folder))
    assert browser.evaluate("document.body.dataset.evil") is None
    assert browser.evaluate("document.querySelectorAll('img').length") == 2
    assert browser.evaluate("document.querySelector('h1').textContent").startswith("</script>")
    assert browser.trouble() == []


def test_a_validation_is_drawn_and_every_plot_leads_into_it(browser, validation_folder):
    browser.open(validation_folder / "report.html")
    visible = "[...document.querySelectorAll('.plot > svg')].every(e => e.getBoundingClientRect().height > 100)"
    assert browser.evaluate(visible), "plots need no script"
    assert browser.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 400)")
    browser.evaluate(START)
    browser.wait_for(ENDED)
    assert browser.evaluate("document.body.dataset.viewer") == "ready", browser.evaluate(
        "document.getElementById('viewer-status').textContent"
    )
    everything = picture(browser)
    assert len(np.unique(everything.reshape(-1, 3), axis=0)) > 1000
    assert reddish(everything) > 100, "the bad stretch is red"
    target = "cryoweaveViewer.plugin.canvas3d.camera.state.target.join()"
    for place in ("circle.outlier", "button.go"):
        before = browser.evaluate(target)
        click = "dispatchEvent(new MouseEvent('click', { bubbles: true }))"
        browser.evaluate(f"document.querySelector('{place}').{click}")
        browser.wait_for(f"{target} !== '{before}'", 20)
    assert browser.requests() == [browser.evaluate("location.href")]
    assert browser.trouble() == []


def test_a_residue_with_an_insertion_code_is_told_and_shown(browser, validation_folder):
    browser.open(validation_folder / "report.html")
    browser.evaluate(START)
    browser.wait_for(ENDED)
    browser.evaluate(
        """(() => {
          const svg = document.querySelector("svg.strip"), box = svg.getBoundingClientRect();
          const at = { clientX: box.left + box.width * (60 + 20.5 * svg.dataset.slot) / 1000, clientY: box.top + 20 };
          svg.dispatchEvent(new MouseEvent("pointermove", at));
          svg.dispatchEvent(new MouseEvent("click", at));
        })()"""
    )
    browser.wait_for("document.querySelector('.readout').textContent.startsWith('A 20A ')", 10)
    selected = """(() => {
      const { plugin } = cryoweaveViewer, { StructureElement, StructureProperties } = molstar.lib.structure;
      const found = new Set();
      for (const { selection } of plugin.managers.structure.selection.entries.values()) {
        StructureElement.Loci.forEachLocation(selection, (at) => found.add(
          StructureProperties.residue.auth_seq_id(at) + StructureProperties.residue.pdbx_PDB_ins_code(at)));
      }
      return [...found].join();
    })()"""
    browser.wait_for(f"{selected} === '20A'", 10)
    assert browser.trouble() == []


def test_a_pose_is_shown_beside_the_model(browser, fit_folder):
    start(browser, fit_folder)
    browser.evaluate("document.querySelector('[data-show=model]').click()")
    browser.evaluate("document.querySelector('[data-show=reference]').click()")
    before = picture(browser)
    assert reddish(before) == 0, "poses are hidden at first"
    browser.evaluate("document.querySelector('button.pose[data-pose=\"1\"]').click()")
    browser.wait_for("document.querySelector('[data-show=pose-1]').checked", 10)
    assert reddish(picture(browser)) > 200, "the first pose is orange"
    drawn = "cryoweaveViewer.plugin.state.data.selectQ((q) => q.root.subtree().withTag('mvs-ref:pose-1'))[0].obj.data"
    centre = browser.evaluate(f"[...{drawn}.sourceData.boundary.sphere.center]")
    assert np.abs(np.array(centre) - read_run(fit_folder).placements.poses.translation[0]).max() < 1.5
    browser.evaluate("document.querySelector('[data-show=pose-1]').click()")
    assert reddish(picture(browser)) == 0
    assert browser.trouble() == []
