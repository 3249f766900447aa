"""Side chains on a main chain: rotamers chosen together, then turned a little."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cryoweave.host import Context
from cryoweave.kernels.backbone import ATOMS, CA, CB, BackboneRefiner, C, N
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.rotamers import Candidates, choose_candidates
from cryoweave.kernels.torsions import placed, torsion
from cryoweave_basics.planes import beta_carbons, usual_density

RADII = {"C": 1.62, "N": 1.47, "O": 1.32, "S": 1.72}
"""Å: the radii by which clashes are judged (Word et al. 1999, J. Mol. Biol. 285, 1711) less half of the 0.4 Å that no
clash needs, and a little more, so that what is chosen stays clear of them."""
CARBONYL_CARBON = 1.50
STIFFNESS, HYDROGEN_BOND = 20.0, 0.4
"""Energy for each Å² of overlap, and Å that polar atoms may come closer."""
WINDOW = 40.0
"""Energy above its residue's best beyond which a rotamer is not looked at."""
ATTRACTION, HIGHEST = 5.0, 1.5
"""Energy of an atom in the main chain's usual density, and how many times that density counts at most."""
LOUDNESS = {"C": 1.0, "N": 1.0, "O": 0.7, "S": 1.5}
"""Density that an element shows; O of acids less than it should."""
SPREADS = (-1.0, 0.0, 1.0)
"""Standard deviations of χ1 (and χ2, where rotamers are few) about each rotamer's mean that are tried."""
FEW = 10
TURNS = ((-16.0, -8.0, 0.0, 8.0, 16.0), (-6.0, -3.0, 0.0, 3.0, 6.0))
"""Degrees by which the chosen χ are turned in the rounds that follow."""
PLACES, BASINS = 12, 3
"""Bins of φ and ψ (30°) and of χ1 (120°) in the table of what χ1 costs there."""
DISULFIDE = 4.6
"""Å between Cβ atoms of cysteines that may be bonded (Cβ–S–S–Cβ: 3.4 to 4.6)."""

Rows = NDArray[np.float64]
SideChain = tuple[tuple[str, ...], Rows]
"""Names of atoms, and where they are."""
NO_SIDE_CHAIN: SideChain = ((), np.empty((0, 3)))


@dataclass(frozen=True)
class Kind:
    """An amino acid's side chain: ``training/fit_full_atom.py`` makes the table."""

    beta: tuple[float, float, float]
    atoms: tuple[tuple[str, str, str, str, float, float, float, int], ...]
    """Name; the three atoms before it; length (Å), angle, torsion (degrees), which χ adds to the torsion (0: none)."""
    share: Rows
    chi: Rows
    """Degrees, shape ``(rotamers, χ)``."""
    spread: Rows

    def built(self, main: Rows, chi: Rows) -> Rows:
        """All atoms beyond Cβ, shape ``(..., atoms, 3)``, for main chains ``(..., 5, 3)`` and χ ``(..., k)``."""
        shape = np.broadcast_shapes(main.shape[:-2], chi.shape[:-1])
        there = {name: np.broadcast_to(main[..., row, :], (*shape, 3)) for row, name in enumerate(ATOMS)}
        full = [np.full(shape, 0.0)] * 3
        for name, a, b, c, length, angle, turn, which in self.atoms:
            turned = turn + (chi[..., which - 1] if which else 0.0)
            full = [np.broadcast_to(value, shape) for value in (length, angle, turned)]
            there[name] = placed(there[a], there[b], there[c], *full)
        return np.stack([there[row[0]] for row in self.atoms], axis=-2)


@cache
def library() -> dict[str, Kind]:
    """Side chains by residue name; unknown residues have a Cβ like alanine's."""
    kinds = {}
    for name, table in json.loads(files("cryoweave_basics").joinpath("data/rotamers.json").read_text("utf-8")).items():
        rows = table["rotamers"]
        columns = [np.array([row[k] for row in rows], np.float64) for k in range(3)]
        kinds[name] = Kind(tuple(table["CB"]), tuple(tuple(row) for row in table["atoms"]), *columns)
    return kinds


@cache
def chi1_table() -> dict[str, Rows]:
    """What χ1 costs at φ and ψ, beside its share whatever they are; by residue name, ``(PLACES, PLACES, BASINS)``."""
    with files("cryoweave_basics").joinpath("data/chi1.npz").open("rb") as stream, np.load(stream) as table:
        return dict(zip(table["names"].tolist(), table["costs"].astype(np.float64), strict=True))


def chi1_bins(phi: float, psi: float) -> tuple[int, int]:
    """Where φ and ψ (degrees) lie in the table."""
    return int(phi % 360 // (360 / PLACES)) % PLACES, int(psi % 360 // (360 / PLACES)) % PLACES


def with_ideal_betas(main: Rows, residue_name: NDArray[np.str_]) -> Rows:
    """Main chains whose Cβ lie where they do in each amino acid."""
    main = main.copy()
    for name in np.unique(residue_name).tolist():
        own = residue_name == name
        main[own, CB] = beta_carbons(main[own], library().get(name, library()["ALA"]).beta)
    return main


def side_chains(
    main: Rows, residue_name: NDArray[np.str_], bonded: NDArray[np.bool_], refiner: BackboneRefiner | None, ctx: Context
) -> list[SideChain]:
    """Names and positions of the atoms beyond Cβ of each residue.

    Parameters
    ----------
    main
        N, Cα, C, O, Cβ, shape ``(n, 5, 3)``, Å.
    residue_name, bonded
        Shape ``(n,)``; whether bonded to the next, shape ``(n - 1,)``.
    refiner
        Its map is asked for density; None for clashes and rotamers alone.
    """
    usual = 0.0 if refiner is None else usual_density(refiner, main[:, CA])
    scene = Scene(main, residue_name, bonded, refiner, usual)
    trials = {row: (chi, cost + scene.chi1_costs(row, chi)) for row, (chi, cost) in scene.rotamers().items()}
    chosen = scene.choose(trials, ctx)
    for turns in TURNS:
        near = {row: turns if len(scene.spreads(row)) > 1 else (0.0,) for row in chosen}
        chosen = scene.choose({row: turned(chi, cost, near[row]) for row, (chi, cost) in chosen.items()}, ctx)
    found = [NO_SIDE_CHAIN] * len(main)
    for row, (chi, _) in chosen.items():
        kind = scene.kinds[row]
        found[row] = (tuple(atom[0] for atom in kind.atoms), kind.built(main[row], chi))
    return found


def rotamer_trials(kind: Kind, spreads: tuple[float, ...]) -> tuple[Rows, Rows]:
    """χ of all rotamers, some standard deviations about them too, and what each costs."""
    count = kind.chi.shape[1]
    wide = 2 if len(kind.share) <= FEW and count > 1 else 1
    steps = np.array([(*step, *[0.0] * (count - wide)) for step in product(spreads, repeat=wide)])
    chi = kind.chi[:, None] + steps * kind.spread[:, None]
    cost = -np.log(kind.share)[:, None] + 0.5 * (steps**2).sum(axis=1)
    return chi.reshape(-1, count), cost.ravel()


def turned(chi: Rows, cost: float, turns: tuple[float, ...]) -> tuple[Rows, Rows]:
    """χ1 and χ2 turned by all combinations, the others by each alone; all cost what the rotamer does."""
    count = len(chi)
    near = list(product(turns, repeat=min(count, 2)))
    steps = [(*step, *[0.0] * (count - len(step))) for step in near]
    steps += [tuple(turn if k == which else 0.0 for k in range(count)) for which in range(2, count) for turn in turns]
    trials = chi + np.array(steps)
    return trials, np.full(len(trials), cost)


@dataclass(frozen=True)
class Scene:
    """The main chain and the map, in which side chains are tried."""

    main: Rows
    residue_name: NDArray[np.str_]
    bonded: NDArray[np.bool_]
    refiner: BackboneRefiner | None
    usual: float

    @property
    def kinds(self) -> dict[int, Kind]:
        """Residues with atoms beyond Cβ."""
        names = enumerate(self.residue_name.tolist())
        return {row: library()[name] for row, name in names if name in library() and library()[name].atoms}

    def rotamers(self) -> dict[int, tuple[Rows, Rows]]:
        """What each side chain may be: χ, and their costs."""
        return {row: rotamer_trials(kind, self.spreads(row)) for row, kind in self.kinds.items()}

    def spreads(self, row: int) -> tuple[float, ...]:
        """Standard deviations that are tried; in proline none, for its ring would open."""
        return SPREADS if self.residue_name[row] != "PRO" else (0.0,)

    def chi1_costs(self, row: int, chi: Rows) -> Rows:
        """What φ and ψ of a residue between two others make χ1 of its trials cost."""
        if row in (0, len(self.main) - 1) or not (self.bonded[row - 1] and self.bonded[row]):
            return np.zeros(len(chi))
        n, ca, c = (self.main[row, atom] for atom in (N, CA, C))
        phi, psi = torsion(self.main[row - 1, C], n, ca, c), torsion(n, ca, c, self.main[row + 1, N])
        basin = (chi[:, 0] % 360 // (360 / BASINS)).astype(int) % BASINS
        costs: Rows = chi1_table()[str(self.residue_name[row])][chi1_bins(float(phi), float(psi))][basin]
        return costs

    def choose(self, trials: dict[int, tuple[Rows, Rows]], ctx: Context) -> dict[int, tuple[Rows, float]]:
        """Of each residue's trials (χ, cost) the one that suits all best: its χ and its own cost."""
        kinds, rows = self.kinds, sorted(trials)
        built = [kinds[row].built(self.main[row], trials[row][0]) for row in rows]
        elements = [[atom[0][0] for atom in kinds[row].atoms] for row in rows]
        costs = [trials[row][1] + self.density_costs(xyz, e) for row, xyz, e in zip(rows, built, elements, strict=True)]
        choice = choose_candidates(
            self.candidates(rows, built, elements, costs),
            stiffness=STIFFNESS,
            hydrogen_bond=HYDROGEN_BOND,
            window=WINDOW,
            seed=ctx.seed,
            progress=ctx.progress,
        )
        best = choice.candidate[len(self.main) :].tolist()
        return {row: (trials[row][0][k], float(trials[row][1][k])) for row, k in zip(rows, best, strict=True)}

    def density_costs(self, xyz: Rows, elements: list[str]) -> Rows:
        """Energy of each trial's atoms in the density, shape ``(trials,)``."""
        if self.refiner is None or self.usual <= 0:
            return np.zeros(len(xyz))
        found = interpolate(self.refiner.values, self.refiner.frame, xyz.reshape(-1, 3)).reshape(xyz.shape[:2])
        gain = ATTRACTION * np.array([LOUDNESS[element] for element in elements])
        return np.asarray(-(np.minimum(found / self.usual, HIGHEST) * gain).sum(axis=1))

    def candidates(
        self, rows: list[int], built: list[Rows], elements: list[list[str]], costs: list[Rows]
    ) -> Candidates:
        """Main chains, one group and one candidate each, and then side chains."""
        n, fixed = len(self.main), np.array([len(ATOMS) - (name == "GLY") for name in self.residue_name.tolist()])
        main_elements = np.tile([name[0] for name in ATOMS], n)
        radius = np.array([RADII[element] for element in main_elements])
        radius[C :: len(ATOMS)] = CARBONYL_CARBON
        kept = (np.arange(len(ATOMS)) < fixed[:, None]).ravel()
        sizes = [len(one) for xyz, one in zip(built, elements, strict=True) for _ in range(len(xyz))]
        names = np.concatenate(
            [main_elements[kept], *(np.tile(e, len(x)) for x, e in zip(built, elements, strict=True))]
        )
        side = np.array([RADII[element] for element in names[kept.sum() :].tolist()])
        return Candidates(
            xyz=np.concatenate([self.main.reshape(-1, 3)[kept], *(xyz.reshape(-1, 3) for xyz in built)]),
            radius=np.concatenate((radius[kept], side)),
            polar=np.isin(names, ("N", "O")),
            atoms=np.concatenate(([0], np.cumsum(np.concatenate((fixed, np.array(sizes, np.int64)))))),
            groups=np.concatenate((np.arange(n + 1), n + np.cumsum([len(xyz) for xyz in built], dtype=np.int64))),
            costs=np.concatenate((np.zeros(n), *costs)),
            free=self.free(rows),
        )

    def free(self, rows: list[int]) -> NDArray[np.int32]:
        """A side chain and its own main chain, a proline and the residue before it, cysteines that may be bonded."""
        n = len(self.main)
        pairs = [(row, n + k) for k, row in enumerate(rows)]
        proline = [(row - 1, n + k) for k, row in enumerate(rows) if row and self.residue_name[row] == "PRO"]
        cysteine = [k for k, row in enumerate(rows) if self.residue_name[row] == "CYS"]
        near = neighbour_pairs(self.main[[rows[k] for k in cysteine], CB], DISULFIDE)[0].tolist() if cysteine else []
        bridges = [(n + cysteine[i], n + cysteine[j]) for i, j in near]
        return np.array(pairs + proline + bridges, np.int32).reshape(-1, 2)
