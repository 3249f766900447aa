from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from cryoweave.host import NoParams, Params, param
from cryoweave.host.params import describe


class Settings(Params):
    bandwidth: float = param(2.0, "Width of the kernel.", unit="Å", source="doi:10.1/x", gt=0.0, le=10.0)
    rounds: int = param(50, "How often.", ge=1)
    mode: Literal["fast", "exact"] = param("fast", "Which way.")
    contour: float | None = param(None, "Chosen from the map when left out.", unit="map")
    weights: Path | None = param(None, "A file.")
    maps: dict[str, Path] = param({}, "Files by name.")


def test_a_table_is_made_from_the_model():
    bandwidth, rounds, mode, contour, weights, maps = describe(Settings)
    assert (bandwidth.name, bandwidth.type, bandwidth.default) == ("bandwidth", "float", 2.0)
    assert (bandwidth.unit, bandwidth.bounds, bandwidth.source) == ("Å", "> 0, <= 10", "doi:10.1/x")
    assert (rounds.type, rounds.bounds, rounds.unit) == ("int", ">= 1", "")
    assert mode.type == "fast | exact"
    assert (contour.type, contour.default) == ("float | None", None)
    assert weights.type == "path | None"
    assert maps.type == "table of paths"
    assert describe(NoParams) == []


@pytest.mark.parametrize(
    "wrong", [{"bandwidth": 0.0}, {"bandwidth": float("nan")}, {"rounds": 1.5}, {"mode": "slow"}, {"unknown": 1}]
)
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_parameters_do_not_change():
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.rounds = 3
