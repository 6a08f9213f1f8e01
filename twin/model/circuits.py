"""The coolant loops of a layout, all together; each is a `twin.model.circuit.Circuit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.errors import CaseError, ConvergenceError
from twin.errors import InputError
from twin.model.circuit import Alarm, Circuit, Coil, Exhaust
from twin.model.loop_summary import summary
from twin.model.operating import CoolantSettings
from twin.model.schema import Layout

__all__ = ["Alarm", "Coil", "Coolant", "Exhaust"]


class Coolant:
    """All loops of a layout.

    Parameters
    ----------
    layout : Layout    At least one loop.

    Attributes
    ----------
    racks : tuple of str        Racks whose chips hang on a loop.
    coil_racks : tuple of str   Racks whose exhaust air a coil cools.

    Raises
    ------
    InputError : a loop makes no network that can be solved; names it.
    """

    def __init__(self, layout: Layout) -> None:
        self._loops: list[Circuit] = []
        for loop in layout.loops:
            try:
                self._loops.append(Circuit(layout, loop))
            except CaseError as error:
                raise InputError(f"{layout.name}: loop '{loop.id}': {error}") from error
        self.racks = tuple(dict.fromkeys(rack for circuit in self._loops for rack in circuit.racks))
        coils = [coil for loop in layout.loops for coil in loop.coils]
        self.coil_racks = tuple(dict.fromkeys(coil.rack for coil in coils))

    def settle(
        self,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
        exhaust: Mapping[str, Exhaust] = MappingProxyType({}),
    ) -> None:
        """Find the steady state and begin there.

        Parameters
        ----------
        power : mapping      By rack: electric power. [W]
        T_air : mapping      By rack: air at its inlet. [K]
        settings : CoolantSettings
        exhaust : mapping    By rack with coils: the air before them; without it they stand in still air.

        Raises
        ------
        ConvergenceError : a loop has no steady state that can be found; names it.
        """
        for circuit in self._loops:
            with _naming(circuit):
                circuit.settle(power, T_air, settings, exhaust)

    def advance(
        self,
        duration: float,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
        exhaust: Mapping[str, Exhaust] = MappingProxyType({}),
    ) -> None:
        """Carry the loops on by a duration [s]; parameters, held over it, and errors as `settle`."""
        for circuit in self._loops:
            with _naming(circuit):
                circuit.advance(duration, power, T_air, settings, exhaust)

    def air_heat(self, rack: str) -> float:
        """Heat that the chips of a rack gave to its air, mean over the last `advance`. [W]."""
        return sum(circuit.air_heat(rack) for circuit in self._loops)

    @property
    def settled(self) -> bool:
        """Whether the loops have a state."""
        return all(hasattr(circuit, "state") for circuit in self._loops)

    def coils(self) -> dict[str, Coil]:
        """Return what coils do to the air of racks, by rack."""
        return {rack: coil for circuit in self._loops for rack, coil in circuit.coils().items()}

    def points(self) -> dict[str, float]:
        """Return the telemetry points of all loops: SI, temperatures in degC."""
        return {name: value for circuit in self._loops for name, value in circuit.points().items()}

    def summary(self) -> dict[str, Any]:
        """Return the numbers of each loop now, by its id."""
        return {circuit.loop.id: summary(circuit) for circuit in self._loops}

    def findings(self) -> list[str]:
        """Say what is wrong with the loops' present state."""
        return [f"loop '{circuit.loop.id}': {text}" for circuit in self._loops for text in circuit.findings()]

    def alarms(self) -> dict[str, tuple[Alarm, ...]]:
        """Return what an operator must hear now, by loop."""
        return {circuit.loop.id: circuit.alarms() for circuit in self._loops}

    def pack(self) -> dict[str, NDArray[np.float64]]:
        """Return all that `unpack` needs to go on bit by bit."""
        return {
            f"{circuit.loop.id}.{name}": value
            for circuit in self._loops
            for name, value in circuit.pack().items()
        }

    def unpack(self, packed: Mapping[str, NDArray[np.float64]]) -> None:
        """Take over a state from `pack`."""
        for circuit in self._loops:
            start = f"{circuit.loop.id}."
            circuit.unpack({k.removeprefix(start): v for k, v in packed.items() if k.startswith(start)})


@contextmanager
def _naming(circuit: Circuit) -> Iterator[None]:
    """Name the loop in what its solver says."""
    try:
        yield
    except ConvergenceError as error:
        said = f"loop '{circuit.loop.id}': {error}"
        raise ConvergenceError(said, error.history, error.place) from error
