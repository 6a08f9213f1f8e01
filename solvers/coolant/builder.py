"""Builds a coolant network element by element; every element has a name for messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solvers.coolant import components as c
from solvers.coolant.friction import bend_loss, f_re, loss_of_flow_coefficient
from solvers.coolant.pumps import fit_head, flow_at_no_head
from solvers.coolant.rows import Rows

_SMOOTH = 1.5e-6  # m, drawn tube and plastic (Moody 1944)
_CASING = 0.2  # s of the best flow that a pump holds


class Builder(Rows):
    """Collects nodes and elements; `build` checks them and gives the arrays.

    Numbers are SI. `a` and `b` are nodes as `node` returns them; flow is positive from a to b. Methods return
    the number of the branch, whose setting `components.Inputs` may change later.

    Parameters
    ----------
    fluid : Fluid    Of nodes that name no other.

    Check : tests/unit/solvers/coolant/test_builder.py
    """

    def pipe(
        self,
        name: str,
        a: int,
        b: int,
        length: float,
        diameter: float,
        *,
        roughness: float = _SMOOTH,
        loss: float = 0.0,
        UA: float = 0.0,
        parallel: int = 1,
    ) -> int:
        """Add a round pipe or hose.

        Parameters
        ----------
        name : str
        a, b : int
        length, diameter : float    [m]
        roughness : float    Absolute. [m]
        loss : float    Sum of the loss coefficients of its bends and fittings. [-]
        UA : float    Heat loss to the surroundings. [W/K]
        parallel : int    Equal pipes side by side; area, volume and flow are those of all.

        Returns
        -------
        int
        """
        area = parallel * math.pi * diameter**2 / 4
        return self.branch(
            *(name, a, b),
            length=length,
            diameter=diameter,
            area=area,
            roughness=roughness,
            loss=loss,
            UA=UA,
            inertance=length / area if area > 0 else 0.0,
            volume=length * area,
        )

    def channel(
        self,
        name: str,
        a: int,
        b: int,
        length: float,
        width: float,
        height: float,
        *,
        count: int = 1,
        loss: float = 0.0,
    ) -> int:
        """Add equal rectangular channels side by side, laminar or turbulent.

        Parameters
        ----------
        name : str
        a, b : int
        length, width, height : float    [m]
        count : int
        loss : float    Entrance, turns and exit together. [-]

        Returns
        -------
        int
        """
        area = count * width * height
        short, long = sorted((width, height))
        return self.branch(
            *(name, a, b),
            length=length,
            diameter=2 * width * height / (width + height),
            area=area,
            laminar=4 * float(f_re(short / long)),
            loss=loss,
            inertance=length / area,
            volume=length * area,
        )

    def fitting(self, name: str, a: int, b: int, diameter: float, loss: float) -> int:
        """Add a loss coefficient: tee, entrance, reduction.

        Parameters
        ----------
        name : str
        a, b : int
        diameter : float    That its velocity is of. [m]
        loss : float    K. [-]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, diameter=diameter, area=math.pi * diameter**2 / 4, loss=loss)

    def bend(
        self, name: str, a: int, b: int, diameter: float, radius: float, angle: float = math.pi / 2
    ) -> int:
        """Add a smooth bend: its loss and the friction of its length.

        Parameters
        ----------
        name : str
        a, b : int
        diameter, radius : float    Of the pipe, of its centre line. [m]
        angle : float    [rad]

        Returns
        -------
        int
        """
        loss = float(bend_loss(radius / diameter, angle))
        return self.pipe(name, a, b, radius * angle, diameter, loss=loss)

    def coupling(self, name: str, a: int, b: int, kv: float) -> int:
        """Add a quick coupling, open or anything else with a fixed flow coefficient.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    [m3/(h sqrt(bar))]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, quadratic=float(loss_of_flow_coefficient(kv)))

    def valve(
        self,
        name: str,
        a: int,
        b: int,
        kv: float,
        *,
        opening: float = 1.0,
        characteristic: str = "equal",
        rangeability: float = 50.0,
    ) -> int:
        """Add a balancing, control or stop valve; its setting is the opening.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Fully open. [m3/(h sqrt(bar))]
        opening : float    0 to 1.
        characteristic : str    ``"equal"`` percentage or ``"linear"``.
        rangeability : float    Largest over smallest controllable flow coefficient.

        Returns
        -------
        int
        """
        if characteristic not in ("equal", "linear"):
            self._faults.append(
                f"valve {name!r}: characteristic {characteristic!r} must be 'equal' or 'linear'"
            )
        return self.branch(
            *(name, a, b, opening),
            quadratic=float(loss_of_flow_coefficient(kv)),
            role=c.EQUAL if characteristic == "equal" else c.LINEAR,
            rangeability=rangeability,
        )

    def check_valve(self, name: str, a: int, b: int, kv: float) -> int:
        """Add a valve that lets flow from a to b only.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Open. [m3/(h sqrt(bar))]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, quadratic=float(loss_of_flow_coefficient(kv)), one_way=True)

    def filter(self, name: str, a: int, b: int, kv: float, *, fouling: float = 1.0) -> int:
        """Add a filter or strainer; its setting is its resistance over that of a clean one.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Clean. [m3/(h sqrt(bar))]
        fouling : float    1 and above.

        Returns
        -------
        int
        """
        return self.branch(name, a, b, fouling, quadratic=float(loss_of_flow_coefficient(kv)), role=c.FOULING)

    def pump(
        self,
        name: str,
        a: int,
        b: int,
        points: Sequence[tuple[float, float]],
        *,
        speed: float = 1.0,
        efficiency: float = 0.6,
        V_best: float | None = None,
        check: bool = True,
        run_down: float = 0.5,
        ramp: float = 2.0,
        inertance: float = 0.0,
        volume: float | None = None,
    ) -> int:
        """Add a pump from a (suction) to b; its setting is its speed over the nominal one.

        Parameters
        ----------
        name : str
        a, b : int
        points : sequence of (float, float)
            Volume flow and rise at nominal speed, two at least; a falling parabola is fitted. [m3/s, Pa]
        speed : float    0 to 1.5.
        efficiency : float    Best, of shaft power. [-]
        V_best : float, optional    Where; half of the flow at no head, if left out. [m3/s]
        check : bool    Whether a check valve keeps flow from going back.
        run_down, ramp : float    See `components.Pumps`. [s]
        inertance : float    [1/m]
        volume : float, optional
            Of the casing, which a pump against a shut valve warms; what it delivers in 0.2 s at V_best, if
            left out. [m3]

        Returns
        -------
        int
        """
        head = fit_head(points)
        if V_best is None:
            V_best = 0.5 * flow_at_no_head(head)
        if volume is None:
            volume = _CASING * V_best
        number = self.branch(
            *(name, a, b, speed), role=c.SPEED, head=head, one_way=check, inertance=inertance, volume=volume
        )
        self._lists["pumps"].append(
            {
                "branch": number,
                "V_best": V_best,
                "efficiency": efficiency,
                "run_down": run_down,
                "ramp": ramp,
            }
        )
        return number

    def cold_plate(
        self,
        name: str,
        a: int,
        b: int,
        *,
        m_nominal: float,
        dp_nominal: float,
        UA: float,
        exponent: float = 1.5,
        UA_exponent: float = 0.4,
        C: float = 0.0,
        volume: float = 0.0,
        T_nominal: float = 298.15,
        inertance: float = 0.0,
    ) -> int:
        """Add a cold plate: a resistance fitted to one point and its exponent, and a heated solid.

            dp = (2 - n) dp_nominal (mu m)/(mu m)_nominal + (n - 1) dp_nominal (m / m_nominal)^2

        which has value and slope of dp_nominal (m / m_nominal)^n at the point.

        Parameters
        ----------
        name : str
        a, b : int
        m_nominal, dp_nominal : float    [kg/s, Pa]
        UA : float    Conductance from the solid to the coolant at nominal flow. [W/K]
        exponent : float    n, 1 (laminar) to 2. [-]
        UA_exponent : float    UA goes as m_flow to this. [-]
        C : float    Heat capacity of the solid. [J/K]
        volume : float    Coolant inside. [m3]
        T_nominal : float    Of the coolant at the point. [K]
        inertance : float    [1/m]

        Returns
        -------
        int
        """
        if not 1 <= exponent <= 2:
            self._faults.append(f"cold plate {name!r}: exponent {exponent:g} must be 1 to 2")
        if not (m_nominal > 0 and dp_nominal > 0):
            self._faults.append(f"cold plate {name!r}: nominal flow and loss must be above 0")
            m_nominal = dp_nominal = 1.0
        fluid = self._fluids[self._nodes[a]["fluid"]]
        rho, mu = float(fluid.density(T_nominal)), float(fluid.viscosity(T_nominal))
        number = self.branch(
            *(name, a, b),
            viscous=(2 - exponent) * dp_nominal * rho / (mu * m_nominal),
            quadratic=(exponent - 1) * dp_nominal * rho / m_nominal**2,
            volume=volume,
            inertance=inertance,
        )
        self._lists["plates"].append(
            {"branch": number, "C": C, "UA": UA, "m_nominal": m_nominal, "exponent": UA_exponent}
        )
        return number

    def resistance(
        self,
        name: str,
        a: int,
        b: int,
        m_nominal: float,
        dp_nominal: float,
        *,
        volume: float = 0.0,
        T_nominal: float = 298.15,
    ) -> int:
        """Add a quadratic resistance by one point: the side of an exchanger, a coil.

        Parameters
        ----------
        name : str
        a, b : int
        m_nominal, dp_nominal : float    [kg/s, Pa]
        volume : float    [m3]
        T_nominal : float    Of the coolant at the point. [K]

        Returns
        -------
        int
        """
        rho = float(self._fluids[self._nodes[a]["fluid"]].density(T_nominal))
        return self.branch(name, a, b, quadratic=dp_nominal * rho / m_nominal**2, volume=volume)

    def leak(self, name: str, node: int, *, pressure: float = c.P_AMBIENT) -> int:
        """Make a node able to leak; the setting is the area of the hole, 0 to begin with. Air does not enter.

        Parameters
        ----------
        name : str
        node : int
        pressure : float    Outside. [Pa]

        Returns
        -------
        int
        """
        key = self._nodes[node]["fluid"]
        if key not in self._outside:
            fluid = self._fluids[key]
            outside = self.node(f"outside of {fluid.name}", self._nodes[node]["z"], fluid)
            self.boundary(outside, pressure, 293.15)
            self._outside[key] = outside
        return self.branch(name, node, self._outside[key], 0.0, role=c.LEAK, one_way=True)
