"use strict";
/* Starts Mol* from the copy inside this page and links it with the plots. Nothing is fetched. */
(() => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const panel = document.getElementById("viewer");
  const state = { viewer: null, started: false, snapshots: [] };
  const byId = (id) => document.getElementById(id);

  function say(text) {
    const status = byId("viewer-status");
    if (status) status.textContent = text;
  }

  function bytesOf(id) {
    return Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
  }

  function textOf(id) {
    const stream = new Blob([bytesOf(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  /* name of what draws WebGL; null where nothing does */
  function renderer() {
    const gl = document.createElement("canvas").getContext("webgl2");
    if (!gl) return null;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    return name;
  }

  const isSoftware = (name) => /swiftshader|llvmpipe|software|basic render/i.test(name);

  function put(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    document.head.append(element);
  }

  async function start() {
    if (state.started) return;
    state.started = true;
    byId("viewer-start").disabled = true;
    try {
      const name = renderer();
      if (!name) throw new Error("this browser has no WebGL 2");
      say("Unpacking the viewer …");
      put("style", await textOf("molstar-css"));
      put("script", await textOf("molstar-js"));
      byId("viewer-still").hidden = true;
      byId("viewer-canvas").hidden = false;
      state.viewer = await molstar.Viewer.create("viewer-canvas", {
        layoutIsExpanded: false, layoutShowControls: false, layoutShowRemoteState: false, layoutShowSequence: false,
        layoutShowLog: false, layoutShowLeftPanel: false, viewportShowAnimation: false, viewportShowSettings: false,
        viewportShowSelectionMode: false, viewportShowTrajectoryControls: false, volumeStreamingDisabled: true,
        viewportBackgroundColor: "#ffffff", viewportFocusBehavior: "secondary-zoom",
      });
      const { plugin } = state.viewer;
      if (isSoftware(name)) plugin.canvas3d.setProps({ multiSample: { mode: "off" }, postprocessing: { enabled: false } });
      say("Drawing …");
      await state.viewer.loadMvsData("base64," + byId("scene").textContent.trim(), "mvsx", { keepCamera: true });
      state.snapshots = plugin.managers.snapshot.state.entries.toArray().map((entry) => entry.snapshot);
      plugin.managers.snapshot.clear(); // the buttons of this page switch them, so Mol*'s own list is not shown
      shownAsTicked();
      plugin.canvas3d.commit(true); // all objects now, so that the camera's own first move comes before ours
      look();
      for (const element of panel.querySelectorAll("[data-needs-viewer]")) element.disabled = false;
      byId("viewer-start").hidden = true;
      say("Drag to turn, scroll to zoom, hover for names. Click a residue in the plots below to go there.");
      window.cryoweaveViewer = state.viewer;
      document.body.dataset.viewer = "ready";
    } catch (error) {
      byId("viewer-still").hidden = false;
      byId("viewer-canvas").hidden = true;
      say(`The 3-D view cannot be drawn (${error.message}); the picture shows the same.`);
      document.body.dataset.viewer = "failed";
    }
  }

  function look() {
    const camera = state.viewer.plugin.canvas3d.camera;
    const { target, up, direction, half } = report.view;
    const box = byId("viewer-canvas").getBoundingClientRect();
    const radius = Math.max(half[1], (half[0] * box.height) / box.width) * 1.1 + 3;
    state.viewer.plugin.managers.camera.setSnapshot(camera.getFocus(target, radius, up, direction), 0);
  }

  const cells = (ref) => state.viewer.plugin.state.data.selectQ((q) => q.root.subtree().withTag(`mvs-ref:${ref}`));

  function show(ref, visible) {
    for (const cell of cells(ref)) {
      state.viewer.plugin.state.data.updateCellState(cell.transform.ref, { isHidden: !visible });
    }
  }

  function shownAsTicked() {
    for (const box of panel.querySelectorAll("[data-show]")) show(box.dataset.show, box.checked);
  }

  async function contour() {
    const slider = byId("contour");
    if (!slider) return;
    const density = Number(slider.value);
    const level = (density - report.map.floor) / report.map.step;
    const update = state.viewer.plugin.build();
    for (const cell of cells("map")) {
      update.to(cell.transform.ref).update((old) => {
        old.type.params.isoValue = { kind: "absolute", absoluteValue: level };
      });
    }
    await update.commit();
  }

  async function colour(index) {
    await state.viewer.plugin.state.setSnapshot(state.snapshots[index]);
    await contour();
    shownAsTicked();
    state.viewer.plugin.canvas3d.commit(true);
  }

  function legend(index) {
    for (const element of panel.querySelectorAll("[data-legend]")) {
      element.hidden = Number(element.dataset.legend) !== index;
    }
  }

  /* a file of the view, which is a zip */
  async function packed(name) {
    const bytes = bytesOf("scene"), zip = new DataView(bytes.buffer), text = new TextDecoder();
    let end = bytes.length - 22;
    while (end > 0 && zip.getUint32(end, true) !== 0x06054b50) end -= 1;
    let entry = zip.getUint32(end + 16, true);
    for (let i = zip.getUint16(end + 10, true); i > 0; i -= 1) {
      const length = zip.getUint16(entry + 28, true);
      if (text.decode(bytes.subarray(entry + 46, entry + 46 + length)) === name) {
        const start = zip.getUint32(entry + 42, true);
        const data = start + 30 + zip.getUint16(start + 26, true) + zip.getUint16(start + 28, true);
        const content = bytes.subarray(data, data + zip.getUint32(entry + 20, true));
        const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
        return new Response(stream).text();
      }
      entry += 46 + length + zip.getUint16(entry + 30, true) + zip.getUint16(entry + 32, true);
    }
    return "[]";
  }

  /* residues by chain and place along it; read when first needed */
  function residues() {
    state.residues ??= packed("scores.json").then((text) => {
      const chains = new Map();
      for (const row of JSON.parse(text)) {
        if (!chains.has(row.auth_asym_id)) chains.set(row.auth_asym_id, new Map());
        chains.get(row.auth_asym_id).set(row.p, row);
      }
      return chains;
    });
    return state.residues;
  }

  /* plots: which residue lies under the pointer */
  async function residueAt(svg, event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 1000;
    const { chain, left, slot } = svg.dataset;
    const place = Math.floor((x - Number(left)) / Number(slot));
    return (await residues()).get(chain)?.get(place);
  }

  async function readout(event) {
    const svg = event.currentTarget;
    const row = await residueAt(svg, event);
    const line = svg.closest(".chain").querySelector(".readout");
    if (!row) {
      line.textContent = `chain ${svg.dataset.chain}: not in the model`;
      return;
    }
    const scores = report.columns.map((name, i) => `${name} ${row[`c${i}`] ?? "–"}`);
    line.textContent = [`${row.auth_asym_id} ${row.auth_seq_id}${row.pdbx_PDB_ins_code ?? ""} ${row.n}`, ...scores].join(" · ");
  }

  async function focus(elements) {
    if (!panel) return;
    panel.scrollIntoView({ behavior: "smooth", block: "center" });
    await start();
    state.viewer?.structureInteractivity({ action: "select" });
    state.viewer?.structureInteractivity({ elements, action: "select" });
    state.viewer?.structureInteractivity({ elements, action: "focus", focusOptions: { extraRadius: 8 } });
  }

  function residue(chain, number, insertion) {
    const elements = { auth_asym_id: chain, auth_seq_id: Number(number) };
    return insertion ? { ...elements, pdbx_PDB_ins_code: insertion } : elements;
  }

  for (const svg of document.querySelectorAll("svg.strip")) {
    svg.addEventListener("pointermove", readout);
    svg.addEventListener("click", async (event) => {
      const row = await residueAt(event.currentTarget, event);
      if (row) focus(residue(row.auth_asym_id, row.auth_seq_id, row.pdbx_PDB_ins_code));
    });
  }
  for (const mark of document.querySelectorAll("circle.outlier")) {
    const { chain, number, insertion } = mark.dataset;
    mark.addEventListener("click", () => focus(residue(chain, number, insertion)));
  }
  for (const button of document.querySelectorAll("button.go")) {
    const { chain, begin, end } = button.dataset;
    button.hidden = !panel;
    button.addEventListener("click", () =>
      focus({ auth_asym_id: chain, beg_auth_seq_id: Number(begin), end_auth_seq_id: Number(end) }));
  }
  for (const button of document.querySelectorAll("button.pose")) {
    const box = panel?.querySelector(`[data-show=pose-${button.dataset.pose}]`);
    button.hidden = !box;
    button.addEventListener("click", async () => {
      box.checked = true;
      panel.scrollIntoView({ behavior: "smooth", block: "center" });
      await start();
      if (state.viewer) show(box.dataset.show, true);
    });
  }
  if (!panel) return;
  byId("viewer-start").addEventListener("click", start);
  for (const radio of panel.querySelectorAll("input[name=column]")) {
    radio.addEventListener("change", () => {
      legend(Number(radio.value));
      if (state.viewer) colour(Number(radio.value));
    });
  }
  for (const box of panel.querySelectorAll("[data-show]")) {
    box.addEventListener("change", () => show(box.dataset.show, box.checked));
  }
  byId("viewer-reset").addEventListener("click", () => {
    state.viewer.structureInteractivity({ action: "select" });
    look();
  });
  const slider = byId("contour");
  if (slider) {
    slider.addEventListener("input", () => { byId("contour-value").textContent = Number(slider.value).toPrecision(3); });
    slider.addEventListener("change", contour);
  }

  /* with a graphics card the view starts when it is first seen; without one it would block the page, so it waits */
  const name = renderer();
  if (name && !isSoftware(name)) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      start();
    }).observe(panel);
  }
  document.body.dataset.viewer = "waiting";
})();
