"""Files that no reader should trust: cut, contradictory, absurd, of another kind.

Every reader and every command must either read such a file or say in one sentence why not; nothing may hang, take
much memory, print a traceback or leave a file behind.
"""

import bz2
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cryoweave.io.header import header_dtype

_SHAPE = (6, 5, 4)
_BAD_INTEGERS = (0, -1, 7, 40_000, 2**31 - 1, -(2**31))
_BAD_FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e30, 1e-30)
_SECTIONS = (0, 1, 3, 4, 16, 28, 40, 52, 64, 76, 88, 92, 104, 196, 208, 212, 220, 224, 1023, 1024)


@dataclass(frozen=True)
class HostileFile:
    """One case.

    Parameters
    ----------
    name
        Says what is wrong; different for each case.
    kind
        What it is passed off as.
    suffix
        Ending of its file name.
    content
        The bytes.
    """

    name: str
    kind: Literal["map", "model", "sequence"]
    suffix: str
    content: bytes

    def write(self, folder: Path) -> Path:
        """Write it into a folder."""
        path = folder / f"{self.name}{self.suffix}"
        path.write_bytes(self.content)
        return path


def hostile_files(seed: int = 0) -> Iterator[HostileFile]:
    """More than 500 cases, always the same for one seed."""
    rng = np.random.default_rng(seed)
    for suffix, name, content in _maps(rng):
        yield HostileFile(f"map-{name}", "map", suffix, content)
    for suffix, name, content in _models(rng):
        yield HostileFile(f"model-{name}", "model", suffix, content)
    for suffix, name, content in _sequences(rng):
        yield HostileFile(f"sequence-{name}", "sequence", suffix, content)


Case = tuple[str, str, bytes]


def _header(**words: Any) -> Any:
    header = np.zeros((), header_dtype())
    header["shape"] = header["sampling"] = _SHAPE
    header["mode"], header["cell"], header["angles"], header["axes"] = 2, (6.6, 5.5, 4.4), 90.0, (1, 2, 3)
    header["space_group"], header["mark"], header["stamp"] = 1, b"MAP ", (0x44, 0x44, 0, 0)
    for name, value in words.items():
        header[name] = value
    return header


def _voxels(dtype: str = "<f4") -> np.ndarray[Any, np.dtype[Any]]:
    return (np.arange(np.prod(_SHAPE)) % 11).astype(dtype)


def _flips(content: bytes, rng: np.random.Generator, count: int, until: int) -> Iterator[tuple[int, bytes]]:
    for i in range(count):
        changed = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(0, min(until, len(content)), size=int(rng.integers(1, 9)))
        changed[places] = rng.integers(0, 256, size=len(places))
        yield i, changed.tobytes()


def _maps(rng: np.random.Generator) -> Iterator[Case]:
    good = _header().tobytes() + _voxels().tobytes()
    yield from _cut_maps(good)
    yield from _map_words()
    yield from _map_claims(good)
    yield from _map_voxels()
    yield from _packed("map", ".mrc", good)
    for i, content in _flips(good, rng, 90, 232):
        yield ".mrc", f"flip-{i}", content
    for i, content in _flips(gzip.compress(good, mtime=0), rng, 30, 10_000):
        yield ".mrc.gz", f"flip-gz-{i}", content
    for name, content in _no_map(rng).items():
        yield ".mrc", name, content


def _cut_maps(good: bytes) -> Iterator[Case]:
    for end in sorted({*_SECTIONS, *range(1024, len(good), 41), len(good) - 1}):
        yield ".mrc", f"cut-{end}", good[:end]
    for suffix, packed in ((".mrc.gz", gzip.compress(good, mtime=0)), (".mrc.bz2", bz2.compress(good))):
        for end in range(1, len(packed), 11):
            yield suffix, f"cut{suffix[4:]}-{end}", packed[:end]


def _map_words() -> Iterator[Case]:
    data = _voxels().tobytes()
    for word in ("shape", "sampling", "start", "axes", "cell", "angles", "origin"):
        for axis in range(3):
            values: tuple[Any, ...] = _BAD_FLOATS if word in ("cell", "angles", "origin") else _BAD_INTEGERS
            for value in values:
                header = _header()
                header[word][axis] = value
                yield ".mrc", f"{word}-{axis}-{value}", header.tobytes() + data
    for mode in (-1, 1, 3, 4, 5, 7, 12, 16, 101, 2**31 - 1):
        yield ".mrc", f"mode-{mode}", _header(mode=mode).tobytes() + data[:100]
    for length in (-1, 80, 2**31 - 1):
        yield ".mrc", f"extended-{length}", _header(extended=length).tobytes() + data
    yield ".mrc", "axes-twice", _header(axes=(1, 1, 3)).tobytes() + data
    yield ".mrc", "cell-of-zero", _header(cell=0, sampling=0).tobytes() + data
    yield ".mrc", "no-mark-no-stamp", _header(mark=b"", stamp=0).tobytes() + data
    yield ".mrc", "wrong-endian-stamp", _header(stamp=(0x11, 0x11, 0, 0)).tobytes() + data
    yield ".mrc", "volume-stack", _header(space_group=401, sampling=(6, 5, 2)).tobytes() + data
    yield ".mrc", "image-stack", _header(space_group=0, sampling=(6, 5, 1)).tobytes() + data


def _map_claims(good: bytes) -> Iterator[Case]:
    """Headers that promise far more than there is."""
    for shape in ((2048, 1024, 1024), (1290, 1290, 1290), (65_535, 65_535, 65_535), (1, 1, 2**31 - 1)):
        content = _header(shape=shape, sampling=shape).tobytes() + good[1024:]
        name = "claims-" + "x".join(map(str, shape))
        yield ".mrc", name, content
        yield ".mrc.gz", f"{name}-gz", gzip.compress(content, mtime=0)
        yield ".mrc.bz2", f"{name}-bz2", bz2.compress(content)


def _map_voxels() -> Iterator[Case]:
    for mode, dtype in ((2, "<f4"), (12, "<f2")):
        for value in (float("nan"), float("inf"), float("-inf")):
            for place in (0, 60, 119):
                voxels = _voxels(dtype)
                voxels[place] = value
                yield ".mrc", f"voxel-{mode}-{value}-{place}", _header(mode=mode).tobytes() + voxels.tobytes()
    yield ".mrc", "all-nan", _header().tobytes() + np.full(120, np.nan, "<f4").tobytes()
    yield ".mrc", "all-zero", _header().tobytes() + bytes(480)
    yield ".mrc", "huge-values", _header().tobytes() + np.full(120, 3e38, "<f4").tobytes()


def _packed(kind: str, suffix: str, good: bytes) -> Iterator[Case]:
    """Compressed streams that are damaged or not what their name says."""
    packed = gzip.compress(good, mtime=0)
    yield f"{suffix}.gz", f"{kind}-gz-magic-only", packed[:2]
    yield f"{suffix}.gz", f"{kind}-gz-noise", packed[:10] + bytes(range(256))
    yield f"{suffix}.gz", f"{kind}-gz-wrong-sum", packed[:-8] + b"\0\0\0\0" + packed[-4:]
    yield f"{suffix}.gz", f"{kind}-gz-wrong-length", packed[:-4] + b"\xff\xff\xff\x7f"
    yield f"{suffix}.gz", f"{kind}-gz-trailing", packed + b"trailing bytes"
    yield f"{suffix}.gz", f"{kind}-gz-twice", gzip.compress(packed, mtime=0)
    yield f"{suffix}.gz", f"{kind}-gz-two-members", packed + packed
    yield f"{suffix}.gz", f"{kind}-gz-not-packed", good
    yield f"{suffix}.gz", f"{kind}-gz-is-bz2", bz2.compress(good)
    yield f"{suffix}.bz2", f"{kind}-bz2-magic-only", b"BZh"
    yield f"{suffix}.bz2", f"{kind}-bz2-noise", b"BZh9" + bytes(range(256))


def _no_map(rng: np.random.Generator) -> dict[str, bytes]:
    return {
        "zeros": bytes(2048),
        "ones": b"\xff" * 2048,
        "noise": rng.integers(0, 256, 4096).astype(np.uint8).tobytes(),
        "text": _pdb() * 3,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(2000),
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 30,
    }


def _pdb() -> bytes:
    lines = ["HEADER    TEST", "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1"]
    for i, (atom, residue) in enumerate([("N", "ALA"), ("CA", "ALA"), ("C", "ALA"), ("N", "GLY"), ("CA", "GLY")]):
        number = 1 + (residue == "GLY")
        position = f"{i + 0.125:8.3f}{-i:8.3f}{2 * i:8.3f}"
        lines.append(
            f"ATOM  {i + 1:5d}  {atom:<3s} {residue} A{number:4d}    {position}  1.00 20.00           {atom[0]}"
        )
    return "\n".join([*lines, "TER", "END", ""]).encode()


def _cif() -> bytes:
    tags = ["group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id",
            "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy",
            "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"]  # fmt: skip
    rows = [f"ATOM {i} C CA . ALA A 1 {i} ? {i}.5 -{i}.25 1.125 1.00 20.0 {i} A 1" for i in range(1, 6)]
    return "\n".join(["data_test", "loop_", *(f"_atom_site.{tag}" for tag in tags), *rows, "#", ""]).encode()


def _models(rng: np.random.Generator) -> Iterator[Case]:
    pdb, cif = _pdb(), _cif()
    for suffix, good in ((".pdb", pdb), (".cif", cif)):
        for end in range(0, len(good), 17):
            yield suffix, f"cut{suffix}-{end}", good[:end]
        for i, content in _flips(good, rng, 40, len(good)):
            yield suffix, f"flip{suffix}-{i}", content
        yield from _packed(suffix[1:], suffix, good)
    for name, content in _broken_pdb(pdb).items():
        yield ".pdb", name, content
    for name, content in _broken_cif(cif).items():
        yield ".cif", name, content


def _broken_pdb(good: bytes) -> dict[str, bytes]:
    first = good.index(b"   0.125")
    return {
        "pdb-letters-in-x": good.replace(b"   0.125", b"   a.bcd"),
        "pdb-nan": good.replace(b"   0.125", b"     nan"),
        "pdb-infinite": good.replace(b"   0.125", b"     inf"),
        "pdb-stars": good.replace(b"   0.125", b"********"),
        "pdb-blank-x": good.replace(b"   0.125", b"        "),
        "pdb-no-number": good.replace(b"A   1", b"A    "),
        "pdb-number-of-letters": good.replace(b"A   1", b"A xyz"),
        "pdb-shifted-column": good[:first] + b" " + good[first:],
        "pdb-header-only": good[: good.index(b"ATOM")],
        "pdb-end-only": b"END\n",
        "pdb-water-only": good.replace(b"ATOM  ", b"HETATM").replace(b"ALA", b"HOH").replace(b"GLY", b"HOH"),
        "pdb-no-alpha": b"\n".join(line for line in good.split(b"\n") if b" CA " not in line),
        "pdb-model-not-closed": b"MODEL        1\n" + good.replace(b"END\n", b""),
        "pdb-two-models-one-number": b"MODEL        1\n" + good.replace(b"END", b"ENDMDL\nMODEL        1\nENDMDL\nEND"),
        "pdb-null-bytes": good.replace(b" CA ", b"\0\0\0\0"),
        "pdb-latin-1": good.replace(b"ALA", b"\xc4LA"),
        "pdb-huge-serial": good.replace(b"ATOM      1", b"ATOM  99999"),
        "pdb-one-long-line": b"ATOM  " * 20_000,
        "pdb-utf-16": good.decode().encode("utf-16"),
        "pdb-html": b"<html>ATOM</html>",
    }


def _broken_cif(good: bytes) -> dict[str, bytes]:
    return {
        "cif-empty-block": b"data_test\n",
        "cif-no-block": b"loop_\n_a.b\n1\n",
        "cif-reflections": b"data_r\nloop_\n_refln.index_h\n_refln.index_k\n1 2\n",
        "cif-unknown-x": good.replace(b" 1.5 ", b" ? "),
        "cif-nan": good.replace(b" 1.5 ", b" nan "),
        "cif-letters": good.replace(b" 1.5 ", b" abc "),
        "cif-row-too-short": good.replace(b" 20.0 5 A 1\n", b" 20.0 5\n"),
        "cif-no-x-column": good.replace(b"_atom_site.Cartn_x\n", b""),
        "cif-only-x": b"data_t\nloop_\n_atom_site.Cartn_x\n1.0\n",
        "cif-open-quote": good.replace(b" CA ", b" 'CA "),
        "cif-open-text": good + b"_a.b\n;text without an end\n",
        "cif-twice": good + good,
        "cif-long-chain": good.replace(b" A 1\n", b" " + b"chain" * 20 + b" 1\n"),
        "cif-number-overflow": good.replace(b" 20.0 1 A", b" 20.0 99999999999 A"),
        "cif-number-of-letters": good.replace(b" 20.0 1 A", b" 20.0 one A"),
        "cif-null-bytes": good.replace(b"CA", b"\0\0"),
        "cif-element": good.replace(b" C CA", b" Qq CA"),
        "cif-latin-1": good.replace(b"ALA", b"\xc4LA"),
    }


def _sequences(rng: np.random.Generator) -> Iterator[Case]:
    good = b">one first\nMKTAYIAKQR\nQISFVKSHFS\n>two\nGSHMLEDPVA\n"
    cases = {
        "empty": b"",
        "blank": b" \n\n\t\n",
        "header-only": b">one\n",
        "header-last": good + b">three\n",
        "no-name": b">\nMKT\n",
        "digits": b">one\n1234\n",
        "digits-between": b">one\n1 MKTAY 5\n",
        "gaps": b">one\nMK-T.A\n",
        "star-only": b">one\n*\n",
        "star-inside": b">one\nMK*TA\n",
        "same-name": good + good,
        "unknown-only": b">one\n" + b"X" * 50 + b"\n",
        "binary": bytes(range(256)) * 4,
        "null-bytes": b">one\nMK\0TA\n",
        "utf-16": good.decode().encode("utf-16"),
        "long-line": b">one\n" + b"MKTA" * 50_000 + b"J1\n",
        "xml": b"<?xml version='1.0'?><sequence/>",
        "pdb": _pdb(),
        "headers-only": b">a\n>b\n>c\n",
        "greater-signs": b">" * 1000,
    }
    for name, content in cases.items():
        yield ".fasta", name, content
    yield from _packed("fasta", ".fasta", good)
    for i, content in _flips(good, rng, 30, len(good)):
        yield ".fasta", f"flip-{i}", content
