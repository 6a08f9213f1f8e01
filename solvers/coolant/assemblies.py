"""Parts of several elements: pumps in parallel, three-way valves, manifolds, exchangers, a CDU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from solvers.coolant import components as c
from solvers.coolant.builder import Builder
from solvers.coolant.components import Inputs

_TEE_RUN = 0.2  # K of a header past a branch (Idelchik 7-23, small branch)


def parallel_pumps(
    builder: Builder,
    name: str,
    a: int,
    b: int,
    points: Sequence[tuple[float, float]],
    *,
    count: int = 2,
    standby: int = 0,
    speed: float = 1.0,
    **values: Any,
) -> list[int]:
    """Add equal pumps side by side, each with its check valve: N + 1 with one on standby.

    Parameters
    ----------
    builder : Builder
    name : str    Of the pumps, which get `` 1``, `` 2`` ... behind it.
    a, b : int    Suction, discharge.
    points : sequence of (float, float)    Curve of one pump; see `Builder.pump`. [m3/s, Pa]
    count, standby : int    All pumps, those of them that stand.
    speed : float    Of those that run.
    **values : float    Passed on to `Builder.pump`.

    Returns
    -------
    list of int    Branches, those on standby last.
    """
    return [
        builder.pump(
            f"{name} {i + 1}", a, b, points, speed=speed if i < count - standby else 0.0, check=True, **values
        )
        for i in range(count)
    ]


def three_way_valve(
    builder: Builder,
    name: str,
    common: int,
    port_a: int,
    port_b: int,
    kv: float,
    *,
    position: float = 1.0,
    mixing: bool = False,
) -> tuple[int, int]:
    """Add a three-way valve with linear ports: at position 1 port A is open, at 0 port B.

    Parameters
    ----------
    builder : Builder
    name : str
    common, port_a, port_b : int    Nodes.
    kv : float    Of each port fully open. [m3/(h sqrt(bar))]
    position : float    0 to 1.
    mixing : bool    Flow from the ports to the common node is counted positive; else the other way.

    Returns
    -------
    (int, int)    Branches to A and B; `turn` sets both.
    """
    ends = [(port, common) if mixing else (common, port) for port in (port_a, port_b)]
    return (
        builder.valve(f"{name} A", *ends[0], kv, opening=position, characteristic="linear"),
        builder.valve(f"{name} B", *ends[1], kv, opening=1 - position, characteristic="linear"),
    )


def turn(inputs: Inputs, valve: tuple[int, int], position: float) -> None:
    """Turn a three-way valve; writes into the inputs.

    Parameters
    ----------
    inputs : Inputs
    valve : (int, int)    From `three_way_valve`.
    position : float    1: port A is open, 0: port B.
    """
    inputs.setting[valve[0]], inputs.setting[valve[1]] = position, 1 - position


def manifold(
    builder: Builder,
    name: str,
    node: int,
    ports: int,
    pitch: float,
    diameter: float,
    *,
    collects: bool = False,
    tee_loss: float = _TEE_RUN,
) -> list[int]:
    """Add a header with ports at equal distance; what it loses along its way makes their flows differ.

    Parameters
    ----------
    builder : Builder
    name : str
    node : int    Where it is fed, or fed from if it collects.
    ports : int
    pitch, diameter : float    Distance of two ports, bore. [m]
    collects : bool    Flow towards `node` is counted positive.
    tee_loss : float    Loss coefficient of passing a port. [-]

    Returns
    -------
    list of int    Nodes of the ports, the nearest first.
    """
    out, last = [], node
    for i in range(ports):
        port = builder.node(f"{name} port {i + 1}")
        ends = (port, last) if collects else (last, port)
        builder.pipe(f"{name} piece {i + 1}", *ends, pitch, diameter, loss=tee_loss)
        out.append(port)
        last = port
    return out


class Exchanger(NamedTuple):
    """Branches of a liquid-liquid exchanger and its number.

    Attributes
    ----------
    first, second : int    Branches.
    number : int    Among the exchangers.
    """

    first: int
    second: int
    number: int


def plate_exchanger(
    builder: Builder,
    name: str,
    first: tuple[int, int],
    second: tuple[int, int],
    *,
    m_nominal: tuple[float, float],
    dp_nominal: tuple[float, float],
    UA: float,
    volume: tuple[float, float] = (2e-3, 2e-3),
    fouling: float = 0.0,
) -> Exchanger:
    """Add a brazed-plate exchanger in counterflow, its films alike at nominal flow.

    Parameters
    ----------
    builder : Builder
    name : str
    first, second : (int, int)    Nodes of each side, inlet and outlet.
    m_nominal, dp_nominal : (float, float)    [kg/s, Pa]
    UA : float    At nominal flows, clean. [W/K]
    volume : (float, float)    [m3]
    fouling : float    Resistance on top. [K/W]

    Returns
    -------
    Exchanger
    """
    one = builder.resistance(f"{name} side 1", *first, m_nominal[0], dp_nominal[0], volume=volume[0])
    two = builder.resistance(f"{name} side 2", *second, m_nominal[1], dp_nominal[1], volume=volume[1])
    # films go with the flow to the 0.7 in chevron plates (VDI Heat Atlas, N6)
    number = builder.exchange(one, two, UA=(2 * UA, 2 * UA), m_nominal=m_nominal, resistance=fouling)
    return Exchanger(one, two, number)


def air_coil(
    builder: Builder,
    name: str,
    a: int,
    b: int,
    *,
    m_nominal: float,
    dp_nominal: float,
    UA: float,
    air_nominal: float,
    air_share: float = 0.8,
    volume: float = 2e-3,
) -> tuple[int, int]:
    """Add a finned coil or a rear door: coolant against air in crossflow.

    Parameters
    ----------
    builder : Builder
    name : str
    a, b : int
    m_nominal, dp_nominal : float    Of the coolant. [kg/s, Pa]
    UA : float    At nominal flows. [W/K]
    air_nominal : float    [kg/s]
    air_share : float    Of the resistance that is on the air's side. [-]
    volume : float    [m3]

    Returns
    -------
    (int, int)    Branch; number among the exchangers, of which `Inputs.air_flow` and `T_air` are.
    """
    branch = builder.resistance(name, a, b, m_nominal, dp_nominal, volume=volume)
    number = builder.exchange(
        *(branch, None),
        UA=(UA / (1 - air_share), UA / air_share),
        m_nominal=(m_nominal, air_nominal),
        exponent=(0.8, 0.55),
        arrangement=c.CROSS,
    )
    return branch, number


class CDU(NamedTuple):
    """Where the parts of a coolant distribution unit are.

    Attributes
    ----------
    supply, back : int    Nodes of the secondary circuit: to the racks, from them.
    facility_in, facility_out : int    Nodes of the facility's water.
    suction : int    Node before the pumps, where the vessel is.
    pumps : list of int    Branches.
    filter, valve : int    Branches; the valve throttles the facility's water.
    exchanger : Exchanger
    """

    supply: int
    back: int
    facility_in: int
    facility_out: int
    suction: int
    pumps: list[int]
    filter: int
    valve: int
    exchanger: Exchanger


def distribution_unit(
    builder: Builder,
    name: str,
    facility: tuple[int, int],
    *,
    points: Sequence[tuple[float, float]],
    m_nominal: tuple[float, float],
    UA: float,
    pressure: float = 2e5,
    pumps: int = 2,
    standby: int = 1,
    dp_exchanger: tuple[float, float] = (4e4, 4e4),
    filter_kv: float | None = None,
    valve_kv: float | None = None,
    vessel: float = 0.02,
    volume: tuple[float, float] = (4e-3, 4e-3),
    **pump: Any,
) -> CDU:
    """Add a CDU: back - filter - vessel - pumps with checks - exchanger - supply, and the facility's valve.

    Parameters
    ----------
    builder : Builder    Of the racks' coolant.
    name : str
    facility : (int, int)    Nodes of the facility's water, in and out.
    points : sequence of (float, float)    Curve of one pump. [m3/s, Pa]
    m_nominal : (float, float)    Racks' coolant, facility's water. [kg/s]
    UA : float    Of the exchanger at these flows. [W/K]
    pressure : float    At the pumps' suction, held by an accumulator. [Pa]
    pumps, standby : int    All, those of them that stand.
    dp_exchanger : (float, float)    [Pa]
    filter_kv, valve_kv : float, optional
        Left out: 0.1 bar and 0.5 bar at nominal flow. [m3/(h sqrt(bar))]
    vessel : float    Shell of the accumulator. [m3]
    volume : (float, float)    Of the exchanger's sides. [m3]
    **pump : float    Passed on to `Builder.pump`.

    Returns
    -------
    CDU
    """
    back, supply = builder.node(f"{name} return"), builder.node(f"{name} supply")
    suction, discharge = builder.node(f"{name} suction"), builder.node(f"{name} discharge")
    water = builder.fluid_of(facility[0])
    behind = builder.node(f"{name} facility behind the exchanger", fluid=water)
    cubic_metres = 3.6  # m3/h of a kg/s of water
    kv_filter = float(m_nominal[0] * cubic_metres / 0.1**0.5) if filter_kv is None else filter_kv
    kv_valve = float(m_nominal[1] * cubic_metres / 0.5**0.5) if valve_kv is None else valve_kv
    builder.accumulator(suction, volume=vessel, precharge=0.6 * pressure, pressure=pressure)
    return CDU(
        *(supply, back, *facility, suction),
        parallel_pumps(
            builder, f"{name} pump", suction, discharge, points, count=pumps, standby=standby, **pump
        ),
        builder.filter(f"{name} filter", back, suction, kv_filter),
        builder.valve(f"{name} facility valve", behind, facility[1], kv_valve),
        plate_exchanger(
            *(builder, f"{name} exchanger", (discharge, supply), (facility[0], behind)),
            m_nominal=m_nominal,
            dp_nominal=dp_exchanger,
            UA=UA,
            volume=volume,
        ),
    )
