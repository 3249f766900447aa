"""Several atomic models, each with a name of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryoweave.data.arrays import short_repr
from cryoweave.data.model import Model
from cryoweave.errors import InputError


@dataclass(frozen=True, eq=False)
class ModelSet:
    """Models that are to be placed: chains, domains or whole complexes.

    Parameters
    ----------
    names
        One for each model, all different; what `Poses.model` names.
    models
        At least one, each with atoms.

    Raises
    ------
    InputError
        If there is no model, one has no atom, or two have the same name.
    """

    names: tuple[str, ...]
    models: tuple[Model, ...]

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "models", tuple(self.models))
        if not self.models:
            raise InputError("there is no model")
        if len(self.names) != len(self.models):
            raise InputError(f"{len(self.names)} names for {len(self.models)} models")
        double = [name for name in self.names if self.names.count(name) > 1]
        if double:
            raise InputError(f"two models have the name {double[0]!r}", "give each its own")
        for name, model in self:
            if not len(model):
                raise InputError(f"the model {name!r} has no atom")

    @classmethod
    def named(cls, names: list[str], models: list[Model]) -> "ModelSet":
        """As given, where names may repeat: the second of a name gets ``_2`` and so on."""
        free: list[str] = []
        for name in names:
            number, text = 1, name
            while text in free:
                number += 1
                text = f"{name}_{number}"
            free.append(text)
        return cls(tuple(free), tuple(models))

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[tuple[str, Model]]:
        return zip(self.names, self.models, strict=True)

    def of(self, name: str) -> Model:
        """The model of this name."""
        if name not in self.names:
            raise InputError(f"there is no model {name!r}", f"models: {', '.join(self.names)}")
        return self.models[self.names.index(name)]
