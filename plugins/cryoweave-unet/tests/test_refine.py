"""Candidates looked at together: the graph turns with the map, the network learns, its file is the same network."""

from dataclasses import fields, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from cryoweave import run_stage
from cryoweave.data import Frame, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.io.onnx import Network
from cryoweave.testing import StageContract
from cryoweave_unet.classes import AMINO, CLASSES, STRUCTURE
from cryoweave_unet.export import export
from cryoweave_unet.graph_set import GraphSource, make_graphs, read_graphs, write_graphs
from cryoweave_unet.graphs import DIRECTIONS, NEIGHBOURS, Graph, graph_of, labelled
from cryoweave_unet.refine import shortened
from cryoweave_unet.refiner import Refiner, joined
from cryoweave_unet.samples import Source
from cryoweave_unet.stages import RefineParams
from cryoweave_unet.tasks import REFINE
from cryoweave_unet.train import Settings, Training, mean_of
from cryoweave_unet.weights import load_detector

from .networks import write_network

FRAME = Frame((40, 40, 40), origin_xyz=(-19.5, -19.5, -19.5))


def scene(turns=0, n=30):
    """Random candidates, smooth random maps; turned by so many quarters about z."""
    rng = np.random.default_rng(4)
    xyz = rng.uniform(-12, 12, (n, 3))
    for _ in range(turns):
        xyz = xyz @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]).T
    values = np.empty((len(CLASSES), *FRAME.shape_zyx), np.float32)
    for i in range(len(CLASSES)):
        one = rng.random((10, 10, 10), np.float32).repeat(4, 0).repeat(4, 1).repeat(4, 2)
        values[i] = np.rot90(one, turns, (1, 2))
    names = (*STRUCTURE, *AMINO)
    cloud = PointCloud(xyz, rng.random(n), probabilities=rng.random((n, len(names))), classes=names)
    return ProbabilityMaps(values, FRAME, CLASSES), cloud


def tensors(graph):
    return [torch.from_numpy(np.ascontiguousarray(getattr(graph, one.name))) for one in fields(Graph)]


def test_features_do_not_turn_and_steps_do():
    plain, turned = graph_of(*scene()), graph_of(*scene(1))
    np.testing.assert_allclose(plain.node, turned.node, atol=1e-4)
    np.testing.assert_allclose(plain.edge, turned.edge, atol=1e-4)
    np.testing.assert_array_equal(plain.neighbour, turned.neighbour)
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(plain.step @ turn.T, turned.step, atol=1e-4)
    torch.manual_seed(0)
    net = Refiner().eval()
    with torch.no_grad():
        logits, move = net(*order(plain))
        logits_turned, move_turned = net(*order(turned))
    np.testing.assert_allclose(logits, logits_turned, atol=1e-3)
    np.testing.assert_allclose(move.numpy() @ turn.T, move_turned, atol=1e-3)


def order(graph):
    node, edge, neighbour, step = tensors(graph)
    return node, edge, neighbour.long(), step


def test_neighbours_are_the_nearest():
    maps, cloud = scene()
    graph = graph_of(maps, cloud)
    distance = np.linalg.norm(cloud.xyz[:, None] - cloud.xyz, axis=2)
    np.testing.assert_array_equal(graph.neighbour, np.argsort(distance, axis=1)[:, 1 : NEIGHBOURS + 1])
    assert graph.step.shape == (len(cloud), NEIGHBOURS + len(DIRECTIONS), 3)
    np.testing.assert_allclose(np.linalg.norm(graph.step[:, :NEIGHBOURS], axis=2), 1, atol=1e-5)


def test_truth_is_one_to_one():
    maps, cloud = scene()
    graph = graph_of(maps, cloud)
    truth = cloud.xyz[:5] + 0.5
    found = labelled(graph, cloud.xyz, truth, np.arange(5, dtype=np.int8))
    assert found.there.sum() == 5
    np.testing.assert_array_equal(found.amino[:5], np.arange(5))
    np.testing.assert_allclose(found.move[:5], 0.5, atol=1e-6)
    assert not found.move[~found.there].any()
    assert not labelled(graph, cloud.xyz, truth[:0], np.zeros(0, np.int8)).there.any()


def random_truth(seed):
    maps, cloud = scene()
    graph = graph_of(maps, cloud)
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(cloud))[:20]
    kind = graph.node[some, len(STRUCTURE) :].argmax(axis=1) % len(AMINO)
    return labelled(graph, cloud.xyz, cloud.xyz[some] + rng.normal(0, 0.5, (20, 3)), kind.astype(np.int8))


def test_it_learns_and_its_file_is_the_same(tmp_path):
    write_graphs(tmp_path / "graphs-0.npz", [random_truth(i) for i in range(3)])
    training = Training(tmp_path / "run", GraphSource(tmp_path, 0), Settings(batch=2, warm=5, rate=3e-3), task=REFINE)
    losses = []

    def stop(step, found):
        losses.append(found["amino"])
        if step >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(10, stop, every=1)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    state, about = mean_of(tmp_path / "run")
    assert about["task"] == "refine"
    export(state, tmp_path / "net.onnx", about)
    net = Refiner()
    net.load_state_dict({name: value.half().float() for name, value in state.items()})
    one = random_truth(0)
    with torch.no_grad():
        expected = net.eval()(*order(one.graph))
    inputs = {f.name: np.asarray(getattr(one.graph, f.name), np.float32) for f in fields(Graph)}
    found = Network(tmp_path / "net.onnx", threads=1).run(inputs)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-4 * max(1, float(b.abs().max())))


def test_graphs_joined_are_the_graphs_apart():
    samples = [random_truth(0), random_truth(1)]
    batch = joined(samples)
    net = Refiner().eval()
    with torch.no_grad():
        together = net(*(batch[name] for name in ("node", "edge", "neighbour", "step")))[0]
        apart = torch.cat([net(*order(one.graph))[0] for one in samples])
    assert torch.allclose(together, apart, atol=1e-5)


def test_graphs_are_made_once_and_read_back(tmp_path, small):
    path, _ = write_network(tmp_path / "net.onnx")
    detector = load_detector(path, Context())
    source = Source((small.entry,), (), 64, (3.0, 3.0), 0.0, 1)
    make_graphs(tmp_path / "g", source, detector, 1, lambda *_: None)
    (made,) = (tmp_path / "g").iterdir()
    before = made.stat().st_mtime_ns
    make_graphs(tmp_path / "g", source, detector, 1, lambda *_: None)
    assert made.stat().st_mtime_ns == before
    graphs = read_graphs(made)
    assert graphs
    assert all(len(one.graph.node) == len(one.there) for one in graphs)
    assert any(one.there.any() for one in graphs)
    again = GraphSource(tmp_path / "g", 3)
    assert {id(again.sample(i)) for i in range(len(graphs))} == {id(one) for one in again.graphs}
    made.write_bytes(b"no graphs")
    with pytest.raises(InputError, match="holds no graphs"):
        read_graphs(made)
    with pytest.raises(InputError, match="holds no graphs") as error:
        GraphSource(tmp_path, 0)
    assert "detect graphs" in error.value.hint


def test_moves_are_short():
    moves = np.array([[9.0, 0, 0], [0, 0.5, 0]], np.float32)
    np.testing.assert_allclose(shortened(moves), [[3, 0, 0], [0, 0.5, 0]])


def test_what_does_not_fit_is_told(tmp_path):
    maps, cloud = scene()
    few = PointCloud(cloud.xyz[:9], cloud.weight[:9], probabilities=cloud.probabilities[:9], classes=cloud.classes)
    with pytest.raises(InputError, match="too few"):
        graph_of(maps, few)
    with pytest.raises(InputError, match="no class"):
        graph_of(maps, replace(cloud, probabilities=cloud.probabilities[:, :4], classes=cloud.classes[:4]))
    path, _ = write_network(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"wanted node \(any"):
        run_stage("unet.refine", maps=maps, points=cloud, params={"network": path})


class TestRefine(StageContract):
    stage_id = "unet.refine"

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path):
        torch.manual_seed(1)
        self.network = tmp_path / "net.onnx"
        export(Refiner().state_dict(), self.network, {"task": "refine"})

    def params(self):
        return RefineParams(network=self.network, threshold=0.0)

    def inputs(self):
        maps, points = scene()
        return {"maps": maps, "points": points}

    def test_nothing_real_is_told(self):
        with pytest.raises(StageError, match="no candidate is real"):
            run_stage("unet.refine", **self.inputs(), params={"network": self.network, "threshold": 1.0})
