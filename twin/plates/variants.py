"""The designs of a sweep: which geometries its lists mean, and what they keep of the file."""

from __future__ import annotations

import itertools
from dataclasses import replace

from solvers.coolant.fluids import fluid
from twin.plates.spec import Sweep
from twin.plates.spec_reader import PlateCase

_EDGE = 1e-9  # m; what counts as outside


def variants(case: PlateCase) -> list[PlateCase]:
    """Return all combinations of the lists of a sweep.

    A list that is missing leaves the file's own value; without lists of walls and pitches the one of both
    that the file gives stays.

    Parameters
    ----------
    case : PlateCase    With a sweep.

    Returns
    -------
    list of PlateCase
    """
    asked, channels, coolant = case.spec.sweep, case.spec.channels, case.spec.coolant
    assert asked is not None
    found = []
    for width, height, between, flow, name in itertools.product(
        asked.width or (channels.width,),
        asked.height or (channels.height,),
        asked.pitch or asked.wall or (channels.pitch or channels.between,),
        asked.flow or (coolant.flow,),
        asked.fluid or (coolant.fluid,),
    ):
        wall = between - width if _by_pitch(case, asked) else between
        found.append(variant(case, width, height, wall, flow, name))
    return found


def _by_pitch(case: PlateCase, asked: Sweep) -> bool:
    """Whether walls follow from a pitch: the sweep's, or the file's where the sweep lists neither."""
    return bool(asked.pitch) or (case.spec.channels.pitch is not None and not asked.wall)


def kept(case: PlateCase) -> dict[str, str]:
    """Say what all designs have in common, and how many channels they get.

    Parameters
    ----------
    case : PlateCase    With a sweep.

    Returns
    -------
    dict    ``count`` always; ``width``, ``height``, ``wall`` or ``pitch`` where no list changes them.
    """
    asked, channels = case.spec.sweep, case.spec.channels
    assert asked is not None
    found = {}
    if not asked.width:
        found["width"] = f"{1e3 * channels.width:g} mm"
    if not asked.height:
        found["height"] = f"{1e3 * channels.height:g} mm"
    if not asked.wall and not asked.pitch:
        of = "wall" if channels.pitch is None else "pitch"
        found[of] = f"{1e3 * (channels.pitch or channels.between):g} mm"
    found["count"] = "as many as fit" if channels.count is None else f"{channels.count}"
    return found


def _fitting(case: PlateCase) -> int:
    """Channels that fit between the margins of the plate."""
    channels = case.spec.channels
    space = case.spec.plate.width - 2.0 * channels.margin + channels.between
    return int(space / max(channels.width + channels.between, 1e-9) + 1e-9)


def variant(case: PlateCase, width: float, height: float, wall: float, flow: float, name: str) -> PlateCase:
    """Return a case with another geometry, flow and fluid.

    It has as many channels as the file asks for, whether they fit or not; without, as many as fit.

    Parameters
    ----------
    case : PlateCase
    width, height, wall : float    Of channels and walls. [m]
    flow : float    Of the plate. [m3/s]
    name : str    Of the fluid.

    Returns
    -------
    PlateCase
    """
    spec = case.spec
    changes = {"width": width, "height": height, "wall": wall, "pitch": None}
    channels = spec.channels.model_copy(update=changes)
    coolant = spec.coolant.model_copy(update={"flow": flow, "fluid": name})
    changed = spec.model_copy(update={"channels": channels, "coolant": coolant})
    made = replace(case, spec=changed, fluid=fluid(name))
    return replace(made, channels=channels.count or _fitting(made))


def cannot_be_made(case: PlateCase, aspect_limit: float) -> str:
    """Say why a geometry cannot be made; empty if it can.

    Parameters
    ----------
    case : PlateCase
    aspect_limit : float    Height over width, of channel and wall. [-]

    Returns
    -------
    str
    """
    channels = case.spec.channels
    if channels.between <= 0.0:
        return "channel wider than the pitch"
    if case.channels < 1:
        return "no channel fits"
    taken = case.channels * (channels.width + channels.between) - channels.between
    if channels.count is not None and taken > case.spec.plate.width + _EDGE:
        return f"{channels.count} channels, as the file asks, do not fit"
    if channels.height > aspect_limit * min(channels.width, channels.between):
        return "too deep for its width"
    return ""
