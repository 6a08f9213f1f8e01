"""Write the peer room as a case of OpenFOAM's buoyantBoussinesqSimpleFoam, version 1912.

Steady, k-epsilon with wall functions, second-order upwind for velocity and temperature, SIMPLEC. A rack is
a hole in the mesh: its front is an outlet of fixed velocity, its rear an inlet with the front's mean
temperature; its heat comes out in the first cells behind the rear. Tiles are inlets, the return has a fixed
pressure.

`write_case` comes first, the mesh tools second (`MESH_STEPS`), `write_fields` last: the tools would rewrite
the fields otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twin.benchmark.peer_room import (
    AMBIENT,
    EXPANSION,
    INTENSITY,
    MIXING_LENGTH,
    PRANDTL,
    PRANDTL_TURBULENT,
    RETURN,
    SIZE,
    VISCOSITY,
    PeerRoom,
    Point,
    Rectangle,
    racks,
    tiles,
)

SOLVER = "buoyantBoussinesqSimpleFoam"
MESH_STEPS = (
    ("blockMesh",),
    ("topoSet", "-dict", "system/topoSetDict.air"),
    ("subsetMesh", "-overwrite", "-patch", "solid", "air"),
    ("topoSet", "-dict", "system/topoSetDict.openings"),
    ("createPatch", "-overwrite"),
    ("topoSet", "-dict", "system/topoSetDict.heat"),
)
"""The tools that make the mesh of `write_case`, in this order."""
WRITE_INTERVAL = 10
"""Iterations between two rows of a rack's inlet temperature."""
_START_WARMTH = 3.0  # K above the supply, of the air at the start
_SLACK = 1e-3  # m, around the faces of an opening
_SLIVER = 1e-4  # m, by which a rack's box is smaller, so that it takes no cell beside it
_WALLS = ("walls", "solid")
_BLOWING = '"(tile|back)_.*"'
_OPENINGS = '"(tile|front|back)_.*"'
_DIMENSIONS = {
    "U": "[0 1 -1 0 0 0 0]",
    "T": "[0 0 0 1 0 0 0]",
    "p_rgh": "[0 2 -2 0 0 0 0]",
    "p": "[0 2 -2 0 0 0 0]",
    "k": "[0 2 -2 0 0 0 0]",
    "epsilon": "[0 2 -3 0 0 0 0]",
    "nut": "[0 2 -1 0 0 0 0]",
    "alphat": "[0 2 -1 0 0 0 0]",
}


class Listed(list[Any]):
    """Entries in round brackets: plain values, dictionaries, or pairs of a name and a dictionary."""


def foam(body: Mapping[str, Any]) -> str:
    """Render a dictionary as OpenFOAM writes it.

    Parameters
    ----------
    body : mapping
        Values are numbers, text, truths, tuples (vectors), `Listed` or mappings again.

    Returns
    -------
    str
    """
    return "\n".join(line for key, value in body.items() for line in _entry(key, value))


def _entry(key: str, value: Any) -> list[str]:
    name = [key] if key else []
    if isinstance(value, Mapping):
        inside = [line for inner, item in value.items() for line in _entry(inner, item)]
        return [*name, "{", *_indented(inside), "}"]
    if isinstance(value, Listed):
        inside = [line for item in value for line in _item(item)]
        return [*name, "(", *_indented(inside), ");"]
    return [f"{key} {_text(value)};"]


def _item(item: Any) -> list[str]:
    if isinstance(item, Mapping):
        return _entry("", item)
    if isinstance(item, tuple) and isinstance(item[1], Mapping):
        return _entry(item[0], item[1])
    return [_text(item)]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({' '.join(_text(part) for part in value)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def write_case(folder: Path, room: PeerRoom, iterations: int, ranks: int) -> None:
    """Write everything but the fields: the mesh, the properties and what the solver does.

    Parameters
    ----------
    folder : Path       The case; made if it is not there.
    room : PeerRoom
    iterations : int    Of SIMPLEC.
    ranks : int         Processes that share the mesh, cut along x.
    """
    for name in ("system", "constant"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_block(folder, room)
    inside = [_cell_set("air", "new", ((-1.0,) * 3, tuple(length + 1 for length in SIZE)))]
    for rack in racks():
        lo = (rack.lo[0] + _SLIVER, rack.lo[1] + _SLIVER, rack.lo[2] - 1)
        hi = (rack.hi[0] - _SLIVER, rack.hi[1] - _SLIVER, rack.hi[2] - _SLIVER)
        inside.append(_cell_set("air", "subtract", (lo, hi)))
    _write_actions(folder, "air", inside)
    openings = list(_openings())
    _write_actions(folder, "openings", [action for face in openings for action in _face_set(face)])
    patches = Listed(
        {"name": face.name, "patchInfo": {"type": "patch"}, "constructFrom": "set", "set": _set_name(face)}
        for face in openings
    )
    _write(folder, "system/createPatchDict", {"pointSync": False, "patches": patches})
    _write_actions(folder, "heat", [_cell_set(f"heat_{n}", "new", box) for n, box in _heated(room.cell)])
    _write_properties(folder, room)
    _write_controls(folder, iterations)
    _write_numerics(folder)
    parts = {"n": (ranks, 1, 1), "delta": 0.001}
    body = {"numberOfSubdomains": ranks, "method": "simple", "simpleCoeffs": parts}
    _write(folder, "system/decomposeParDict", body)


def write_fields(folder: Path, room: PeerRoom) -> None:
    """Write start values and boundary conditions.

    Parameters
    ----------
    folder : Path       The case, with its mesh.
    room : PeerRoom
    """
    (folder / "0").mkdir(exist_ok=True)
    for name, (start, boundary) in _fields(room).items():
        kind = "volVectorField" if name == "U" else "volScalarField"
        body = {"dimensions": _DIMENSIONS[name], "internalField": _uniform(start), "boundaryField": boundary}
        _write(folder, f"0/{name}", body, kind)


# -- mesh ----------------------------------------------------------------------------------------------------


def _openings() -> Iterable[Rectangle]:
    yield from tiles()
    yield RETURN
    for rack in racks():
        yield rack.front
        yield rack.rear


def _heated(cell: float) -> Iterable[tuple[str, tuple[Point, Point]]]:
    """First layer of cells behind each rack's rear."""
    for rack in racks():
        y = rack.rear.lo[1]
        low, high = (y - cell, y) if rack.facing > 0 else (y, y + cell)
        yield rack.name, ((rack.lo[0], low, rack.lo[2]), (rack.hi[0], high, rack.hi[2]))


def _write_block(folder: Path, room: PeerRoom) -> None:
    X, Y, Z = SIZE
    base = [(0.0, 0.0), (X, 0.0), (X, Y), (0.0, Y)]
    vertices = Listed((x, y, z) for z in (0.0, Z) for x, y in base)
    sides = Listed([(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (2, 3, 7, 6), (0, 4, 7, 3), (1, 2, 6, 5)])
    cells = " ".join(map(str, room.shape))
    boundary = Listed(
        [("walls", {"type": "wall", "faces": sides}), ("solid", {"type": "wall", "faces": Listed()})]
    )
    body = {
        "convertToMeters": 1,
        "vertices": vertices,
        "blocks": Listed([f"hex (0 1 2 3 4 5 6 7) ({cells}) simpleGrading (1 1 1)"]),
        "edges": Listed(),
        "boundary": boundary,
    }
    _write(folder, "system/blockMeshDict", body)


def _cell_set(name: str, action: str, box: tuple[Any, Any]) -> dict[str, Any]:
    source = {"box": f"{_text(box[0])} {_text(box[1])}"}
    return {"name": name, "type": "cellSet", "action": action, "source": "boxToCell", "sourceInfo": source}


def _set_name(face: Rectangle) -> str:
    return f"faces_{face.name}"


def _face_set(face: Rectangle) -> list[dict[str, Any]]:
    """Two actions: all walls, then of these the ones in the opening."""
    lo = tuple(x - _SLACK for x in face.lo)
    hi = tuple(x + _SLACK for x in face.hi)
    common = {"name": _set_name(face), "type": "faceSet"}
    return [
        common | {"action": "new", "source": "patchToFace", "sourceInfo": {"patch": '"(walls|solid)"'}},
        common
        | {"action": "subset", "source": "boxToFace", "sourceInfo": {"box": f"{_text(lo)} {_text(hi)}"}},
    ]


def _write_actions(folder: Path, name: str, actions: list[dict[str, Any]]) -> None:
    _write(folder, f"system/topoSetDict.{name}", {"actions": Listed(actions)})


# -- fields --------------------------------------------------------------------------------------------------


def _fields(room: PeerRoom) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Start value and boundary conditions of every field."""
    k = 1.5 * (INTENSITY * room.tile_speed) ** 2
    epsilon = 0.09**0.75 * k**1.5 / MIXING_LENGTH
    rest = (0.0, 0.0, 0.0)
    none = {"type": "zeroGradient"}
    flux = {"type": "fixedFluxPressure", "value": _uniform(0.0)}
    ambient = {"type": "inletOutlet", "inletValue": _uniform(AMBIENT), "value": _uniform(AMBIENT)}
    opening = {"type": "pressureInletOutletVelocity", "value": _uniform(rest)}
    back = {
        f"back_{rack.name}": {
            "type": "outletMappedUniformInlet",
            "outletPatch": rack.front.name,
            "value": _uniform(room.T_supply),
        }
        for rack in racks()
    }
    jayatilleke = {"type": "alphatJayatillekeWallFunction", "Prt": PRANDTL_TURBULENT, "value": _uniform(0.0)}

    def turbulent(wall: str, start: float) -> dict[str, Any]:
        return _walls({"type": wall, "value": _uniform(0.01)}) | {
            _BLOWING: {"type": "fixedValue", "value": _uniform(start)},
            '"(front_.*|return)"': none,
        }

    def derived(wall: dict[str, Any]) -> dict[str, Any]:
        return {'".*"': {"type": "calculated", "value": _uniform(0.0)}} | _walls(wall)

    return {
        "U": (
            rest,
            _walls({"type": "noSlip"})
            | {
                '"tile_.*"': {"type": "fixedValue", "value": _uniform((0.0, 0.0, room.tile_speed))},
                "return": opening,
                '"front_.*"': _normal(room.rack_speed),
                '"back_.*"': _normal(-room.rack_speed),
            },
        ),
        "T": (
            room.T_supply + _START_WARMTH,
            _walls(none)
            | {
                '"tile_.*"': {"type": "fixedValue", "value": _uniform(room.T_supply)},
                "return": ambient,
                '"front_.*"': none,
            }
            | back,
        ),
        "p_rgh": (
            0.0,
            _walls(flux) | {_OPENINGS: flux, "return": {"type": "fixedValue", "value": _uniform(0.0)}},
        ),
        "p": (0.0, {'".*"': {"type": "calculated", "value": _uniform(0.0)}}),
        "k": (k, turbulent("kqRWallFunction", k)),
        "epsilon": (epsilon, turbulent("epsilonWallFunction", epsilon)),
        "nut": (1e-4, derived({"type": "nutkWallFunction", "value": _uniform(0.0)})),
        "alphat": (1e-4, derived(jayatilleke)),
    }


def _uniform(value: Any) -> str:
    return f"uniform {_text(value)}"


def _walls(condition: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(_WALLS, condition)


def _normal(speed: float) -> dict[str, Any]:
    """Velocity along the outward normal."""
    return {"type": "surfaceNormalFixedValue", "refValue": _uniform(speed)}


# -- properties and controls ---------------------------------------------------------------------------------


def _write_properties(folder: Path, room: PeerRoom) -> None:
    air = {"transportModel": "Newtonian", "nu": VISCOSITY, "beta": EXPANSION, "TRef": room.T_supply}
    _write(folder, "constant/transportProperties", air | {"Pr": PRANDTL, "Prt": PRANDTL_TURBULENT})
    model = {"RASModel": "kEpsilon", "turbulence": "on", "printCoeffs": "off"}
    _write(folder, "constant/turbulenceProperties", {"simulationType": "RAS", "RAS": model})
    gravity = {"dimensions": "[0 1 -2 0 0 0 0]", "value": (0.0, 0.0, -9.81)}
    _write(folder, "constant/g", gravity, "uniformDimensionedVectorField")
    kind = "scalarSemiImplicitSource"
    sources = {
        f"heat_{rack.name}": {
            "type": kind,
            "active": True,
            f"{kind}Coeffs": {
                "selectionMode": "cellSet",
                "cellSet": f"heat_{rack.name}",
                "volumeMode": "absolute",
                "injectionRateSuSp": {"T": (room.heat, 0.0)},
            },
        }
        for rack in racks()
    }
    _write(folder, "constant/fvOptions", sources)


def _write_controls(folder: Path, iterations: int) -> None:
    inlets = {
        f"inlet_{rack.name}": {
            "type": "surfaceFieldValue",
            "libs": "(fieldFunctionObjects)",
            "regionType": "patch",
            "name": rack.front.name,
            "operation": "areaAverage",
            "fields": "(T)",
            "writeFields": False,
            "log": False,
            "executeControl": "timeStep",
            "writeControl": "timeStep",
            "writeInterval": min(WRITE_INTERVAL, iterations),
        }
        for rack in racks()
    }
    body = {
        "application": SOLVER,
        "startFrom": "startTime",
        "startTime": 0,
        "stopAt": "endTime",
        "endTime": iterations,
        "deltaT": 1,
        "writeControl": "timeStep",
        "writeInterval": iterations,
        "purgeWrite": 1,
        "writeFormat": "binary",
        "runTimeModifiable": False,
        "functions": inlets,
    }
    _write(folder, "system/controlDict", body)


def _write_numerics(folder: Path) -> None:
    upwind = "bounded Gauss upwind"
    schemes = {
        "ddtSchemes": {"default": "steadyState"},
        "gradSchemes": {"default": "Gauss linear"},
        "divSchemes": {
            "default": "none",
            "div(phi,U)": "bounded Gauss linearUpwind grad(U)",
            "div(phi,T)": "bounded Gauss linearUpwind grad(T)",
            "div(phi,k)": upwind,
            "div(phi,epsilon)": upwind,
            "div((nuEff*dev2(T(grad(U)))))": "Gauss linear",
        },
        "laplacianSchemes": {"default": "Gauss linear corrected"},
        "interpolationSchemes": {"default": "linear"},
        "snGradSchemes": {"default": "corrected"},
    }
    _write(folder, "system/fvSchemes", schemes)
    pressure = {"solver": "GAMG", "smoother": "GaussSeidel", "tolerance": 1e-7, "relTol": 0.05}
    others = {"solver": "PBiCGStab", "preconditioner": "DILU", "tolerance": 1e-7, "relTol": 0.1}
    relaxation = {"U": 0.7, "T": 0.7, "k": 0.5, "epsilon": 0.5}
    solution = {
        "solvers": {"p_rgh": pressure, '"(U|T|k|epsilon)"': others},
        "SIMPLE": {"nNonOrthogonalCorrectors": 0, "consistent": True},
        "relaxationFactors": {"fields": {"p_rgh": 0.7}, "equations": relaxation},
    }
    _write(folder, "system/fvSolution", solution)


def _write(folder: Path, path: str, body: Mapping[str, Any], kind: str = "dictionary") -> None:
    head = {"FoamFile": {"version": "2.0", "format": "ascii", "class": kind, "object": Path(path).name}}
    (folder / path).write_text(f"{foam(head)}\n\n{foam(body)}\n", encoding="ascii")
