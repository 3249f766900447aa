"""Chains looked for in databases: the right one among decoys, E-values that are true, and the command's words."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyhmmer", reason="pyhmmer is not installed")

from pyhmmer.plan7 import HMMFile
from typer.testing import CliRunner

from cryoweave import run_stage
from cryoweave.cli import console
from cryoweave.data import PointCloud
from cryoweave.errors import InputError, StageError
from cryoweave.io import store
from cryoweave.io.database import Entry
from cryoweave.kernels.bonds import bond_graph
from cryoweave.kernels.evidence import LETTERS
from cryoweave.testing import ideal_model, sequences_of
from cryoweave_modelangelo.identify import chains_of
from cryoweave_modelangelo.identify_app import app
from cryoweave_modelangelo.profile import background
from cryoweave_modelangelo.search import Found, Hit, product_tail, profiles_of, search, together, write_profiles

MODEL = ideal_model("H" * 30 + "C" * 4 + "E" * 14)
LETTERS_OF = sequences_of(MODEL).sequences[0].letters
POINTS = run_stage(
    "model.points", model=MODEL, params={"error": 0.2, "missing": 0, "false": 0, "accuracy": 0.6}, seed=1
)
TRACES = run_stage("modelangelo.chains", bonds=bond_graph(POINTS))


def random_entries(count, seed=0, length=200):
    drawn = np.random.default_rng(seed).choice(20, (count, length), p=background())
    return [Entry(f"random-{k}", "".join(LETTERS[i] for i in row)) for k, row in enumerate(drawn)]


def database(path, entries):
    path.write_text("".join(f">{name} some words\n{letters}\n" for name, letters in entries))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder as `modelangelo-unknown` leaves it, as far as identify looks at it."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "stages").mkdir()
    store.save(POINTS, folder / "stages" / "03-refine")
    store.save(bond_graph(POINTS), folder / "stages" / "04-bonds")
    store.save(TRACES, folder / "stages" / "05-chains")
    return folder


def call(*arguments):
    """Exit code, what is on stdout and on stderr: as a user sees it."""
    code = (
        "import sys; from cryoweave.cli import console; from cryoweave.cli.main import app; "
        "sys.exit(console.guard(lambda: app(sys.argv[1:], prog_name='cryoweave')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "identify", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("backward", [False, True])
def test_the_right_sequence_is_found_in_either_direction_with_its_region(backward):
    traces = TRACES
    if (TRACES.xyz[0] @ np.ones(3) > TRACES.xyz[-1] @ np.ones(3)) != backward:
        traces = replace(TRACES, xyz=TRACES.xyz[::-1], weight=TRACES.weight[::-1])
    hidden = Entry("hidden", "M" * 20 + LETTERS_OF + "K" * 10)
    found = search(profiles_of(POINTS, traces, 8), [*random_entries(300), hidden], 2)
    e_value, hits = found.proteins()[0]
    assert hits[0].name == "hidden"
    assert e_value < 1e-6
    assert found.searched == 301
    first, last = hits[0].sequence_region
    assert abs(first - 21) <= 5
    assert abs(last - 20 - len(LETTERS_OF)) <= 5
    assert last - first == pytest.approx(abs(hits[0].chain_region[1] - hits[0].chain_region[0]), abs=3)
    along = traces.xyz[hits[0].chain_region[0] - 1]
    assert np.linalg.norm(MODEL.trace_atoms().xyz[first - 21] - along) < 2.0


def test_one_of_the_directions_wins_clearly():
    found = search(profiles_of(POINTS, TRACES, 8), [*random_entries(20), Entry("hidden", LETTERS_OF)])
    (hit,) = [hit for hit in found.hits if hit.name == "hidden"]
    steps = np.diff(np.linalg.norm(TRACES.xyz[:, None] - MODEL.trace_atoms().xyz, axis=2).argmin(axis=1))
    assert hit.backward == (np.median(steps) < 0)


def test_e_values_are_as_many_random_hits_as_they_say():
    """Of 4,000 random sequences of another length about 40 have a P-value of .01 or less."""
    found = search(profiles_of(POINTS, TRACES, 8)[:1], random_entries(4000, seed=5, length=150), 2)
    count = sum(hit.p_value <= 0.01 for hit in found.hits)
    assert 10 <= count <= 120
    assert found.proteins()[0][0] > 0.01


def test_threads_and_blocks_do_not_change_what_is_found(monkeypatch):
    entries = [*random_entries(100), Entry("hidden", LETTERS_OF)]
    models = profiles_of(POINTS, TRACES, 8)
    first = search(models, entries, 1)
    monkeypatch.setattr("cryoweave_modelangelo.search.BLOCK", 7)
    again = search(profiles_of(POINTS, TRACES, 8), iter(entries), 2)
    assert first.hits == again.hits
    assert first.searched == again.searched


def test_fast_finds_what_is_clear_with_the_same_score():
    entries = [*random_entries(100), Entry("hidden", LETTERS_OF)]
    models = profiles_of(POINTS, TRACES, 8)
    slow, fast = (search(models, entries, fast=fast) for fast in (False, True))
    assert fast.hits[0] == slow.hits[0]
    assert fast.hits[0].name == "hidden"
    assert len(fast.hits) < len(slow.hits)


@pytest.mark.parametrize("chains", [1, 2, 5])
def test_products_of_uniform_numbers_are_as_small_as_often_as_said(chains):
    drawn = -np.log(np.random.default_rng(0).uniform(size=(200_000, chains))).sum(axis=1)
    for y in (chains * 0.5, chains * 1.5, chains * 3.0):
        assert product_tail(y, chains) == pytest.approx(np.mean(drawn >= y), abs=0.005)
    assert product_tail(0, chains) == 1


@pytest.mark.parametrize("chains", [1, 3, 8])
def test_chains_that_are_nowhere_make_no_sequence_sure(chains):
    drawn = np.random.default_rng(1).uniform(size=(20_000, chains))
    share = np.mean([together(row.tolist(), chains) <= 0.05 for row in drawn])
    assert share <= 0.055
    assert share >= 0.005


def test_one_clear_chain_counts_among_many_and_so_do_several_in_doubt():
    assert together([1e-9], 1) == pytest.approx(1e-9)
    assert together([1e-9], 12) < 1e-6
    assert together([1e-3] * 6, 8) < 1e-8
    assert together([1e-9, 0.9], 12) == together([1e-9], 12)
    assert 0 <= together([1e-300] * 5, 5) < 1e-250


def hit(entry, chain, p_value):
    return Hit(p_value, 10.0, entry, f"s{entry}", 100, chain, False, (1, 20), (1, 20))


def test_chosen_sequences_explain_the_chains_and_their_relatives_do_not():
    hits = [hit(0, 1, 1e-20), hit(0, 2, 1e-12), hit(1, 1, 1e-18), hit(2, 3, 1e-9), hit(3, 4, 0.04)]
    found = Found(4, 1000, hits)
    assert [group[0].entry for _, group in found.proteins()] == [0, 1, 2, 3]
    assert found.chosen(0.01) == [0, 2]
    assert found.chosen(0.0) == []


def test_profiles_are_files_that_hmmer_reads(tmp_path):
    models = profiles_of(POINTS, TRACES, 8)
    write_profiles(tmp_path / "chains.hmm", models)
    with HMMFile(tmp_path / "chains.hmm") as file:
        read = list(file)
    assert [one.name for one in read] == ["chain-1", "chain-1-backward"]
    for one, model in zip(read, models, strict=True):
        assert len(TRACES.xyz) == one.M
        np.testing.assert_allclose(one.match_emissions, model.model.match_emissions, rtol=1e-3, atol=1e-5)
        assert one.evalue_parameters.f_tau == pytest.approx(model.model.evalue_parameters.f_tau, abs=1e-3)
        assert one.evalue_parameters.f_lambda == pytest.approx(math.log(2), abs=1e-4)
    np.testing.assert_allclose(
        np.array(read[0].match_emissions)[1:], np.array(read[1].match_emissions)[:0:-1], rtol=1e-3
    )


def test_chains_that_cannot_be_looked_for_are_told(tmp_path, run):
    with pytest.raises(StageError, match="no chain of the run has 500 points"):
        profiles_of(POINTS, TRACES, 500)
    with pytest.raises(StageError, match="say nothing of amino acids"):
        profiles_of(PointCloud(POINTS.xyz, POINTS.weight), TRACES, 8)
    with pytest.raises(InputError, match="is no run folder"):
        chains_of(tmp_path)
    (tmp_path / "stages").mkdir()
    store.save(POINTS, tmp_path / "stages" / "01-points")
    with pytest.raises(InputError, match="no traces on detected points"):
        chains_of(tmp_path)
    points, traces = chains_of(run)
    assert store.digest(points) == store.digest(POINTS)
    assert store.digest(traces) == store.digest(TRACES)


def test_the_command_prints_writes_and_hands_on(tmp_path, run):
    file = database(tmp_path / "db.fasta", [*random_entries(50), Entry("hidden", LETTERS_OF), *random_entries(9, 3)])
    code, out, err = call(
        run, "-d", file, "-o", tmp_path / "hits.tsv", "-s", tmp_path / "found.fasta", "--profiles", tmp_path / "c.hmm"
    )
    assert code == 0, err
    assert out.splitlines()[0].split()[:2] == ["sequence", "residues"]
    assert out.splitlines()[1].startswith("hidden *")
    assert len(out.splitlines()) == 2
    assert "1 chains in 60 sequences" in err
    assert "cryoweave run modelangelo" in err
    assert (tmp_path / "found.fasta").read_text().replace("\n", "") == f">hidden{LETTERS_OF}"
    assert (tmp_path / "c.hmm").read_bytes().startswith(b"HMMER3/f")
    header, first, *_ = (tmp_path / "hits.tsv").read_text().splitlines()
    row = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    assert row["sequence"] == "hidden"
    assert float(row["e_value"]) < 1e-6


def test_as_json(tmp_path, run):
    file = database(tmp_path / "db.fasta", [*random_entries(20), Entry("hidden", LETTERS_OF)])
    code, out, _ = call(run, "-d", file, "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["searched"] == 21
    assert [one["name"] for one in shown["sequences"]] == ["hidden"]
    assert shown["sequences"][0]["explains"]
    assert shown["sequences"][0]["hits"][0]["chain"] == 1


def test_when_nothing_is_found_it_says_so_and_ends_with_1(tmp_path, run):
    code, out, err = call(run, "-d", database(tmp_path / "db.fasta", random_entries(40)), "-o", tmp_path / "hits.tsv")
    assert code == 1
    assert not out
    assert "none of the 40 sequences fits the 1 chains at an E-value of 0.01; the best is" in err
    assert "is the protein in the database" in err
    assert (tmp_path / "hits.tsv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no sequence"), ("nothing", "is no FASTA file"), (">a\nMK4\n", "line 2 holds '4'"),
     (">d\n" + "ACGT" * 80, "nucleotides")],
)  # fmt: skip
def test_a_database_that_is_none_is_told(tmp_path, run, text, message):
    (tmp_path / "db.fasta").write_text(text)
    result = CliRunner().invoke(app, [str(run), "-d", str(tmp_path / "db.fasta")])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert result.exception.hint


def test_without_hmmer_it_says_what_to_install(monkeypatch, run, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert console.guard(lambda: app([str(run), "-d", str(tmp_path)], standalone_mode=False)) == 3
