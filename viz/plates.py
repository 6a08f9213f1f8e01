"""Cold plates for the eye: solved for a branch's operating point of the moment, while somebody looks.

A solve takes about a second of a worker thread, one plate at a time. It is repeated at once when the
operating point has moved noticeably, and every ten seconds when it has moved at all; nobody looking, nothing
solved.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from solvers.errors import SolverError
from twin.errors import InputError, OutsideError, TwinError
from twin.units import kelvin
from viz.field import Lines, encode_frame, probe
from viz.plate_cases import PlateCases, Stamp, other_fluid, plain, uncovered
from viz.plate_frame import plate_frame, resistances
from viz.source import LiveSource

if TYPE_CHECKING:
    from twin.plates.view import PlateView

log = logging.getLogger(__name__)

PERIOD = 10.0  # s between solves of a plate that moves slowly
SETTLE = 1.5  # s between solves of one that moves fast
MOST_WATCHED = 4  # plates; the one that was not asked for the longest makes room
LOOKED_AWAY = 15.0  # s after which a solve that waits for its turn is not worth it
FORGOTTEN = 600.0  # s after which a plate that nobody asked for is let go
MOVED_K = 0.25  # inlet temperature
MOVED_SHARE = 0.02  # of flow and power
LEAST_FLOW = 1e-7  # m3/s through one plate; below it none has a steady state worth the name
LEAST_SHARE = 0.15  # of the design flow; below it what flows does not carry the heat away
WINDOW = 5.0  # s over which a branch is seen to move
MOVING_FLOW = 0.10  # of the flow, within the window: it decays or comes back
MOVING_CHIP_K = 1.5  # within the window: chips of 10 to 20 s are far from steady then
STOPPED = "No flow in this branch: a plate without flow has no steady temperature."


class Unwanted(Exception):  # noqa: N818  no error: nobody waits for the solve any more
    """The solve's turn came when nobody looked any more."""


class Unsteady(Exception):  # noqa: N818  no error: the plate is on its way
    """The plate has no steady state at what flows now; says why."""


class Mismatch(Exception):  # noqa: N818  the operator's to mend
    """The design is not of the plates that the loop flows through, or not for what flows; says how."""


class Look(NamedTuple):
    """A branch at a time: time [s], flow [m3/s], chips [degC]."""

    time: float
    flow: float
    chip_c: float | None


class Point(NamedTuple):
    """Operating point of one plate: flow [m3/s], inlet temperature [degC], heat [W]."""

    flow: float
    inlet_c: float
    heat: float

    def moved(self, other: Point) -> bool:
        """Say whether the plate would look different at the other point."""
        return abs(self.inlet_c - other.inlet_c) > MOVED_K or any(
            abs(a - b) > MOVED_SHARE * max(abs(a), abs(b))
            for a, b in ((self.flow, other.flow), (self.heat, other.heat))
        )


class Wish(NamedTuple):
    """What is to be solved: a branch, its design file, its operating point, coolant, mean chip [degC]."""

    loop: str
    branch: str
    path: str
    whole: Point
    fluid: str | None
    chip_c: float | None


@dataclass
class Watched:
    """What is known of the plate of a branch.

    Attributes
    ----------
    number : int    Counts the solves; -1 before the first.
    asked, solved : float    When, by the monotonic clock. [s]
    fault : str    Why there is no picture though there should be one.
    unsteady : str    Why there is no steady state to be shown now.
    past : list of Look    The branch within the last `WINDOW`.
    files : tuple    The design's files as they were when it was solved.
    design_flow : float    Of all plates, by their design file; 0 until it was read. [m3/s]
    """

    number: int = -1
    asked: float = -math.inf
    solved: float = -math.inf
    point: Point | None = None
    view: PlateView | None = None
    frame: bytes = b""
    fault: str = ""
    unsteady: str = ""
    past: list[Look] = field(default_factory=list, repr=False)
    design_flow: float = 0.0
    files: Stamp = ()
    task: asyncio.Task[None] | None = field(default=None, repr=False)


def restless(past: list[Look], now: Look) -> str:
    """Say what of a branch is still moving, or nothing.

    Parameters
    ----------
    past : list of Look
        Within the last `WINDOW`.
    now : Look

    Returns
    -------
    str
    """
    flows = [look.flow for look in past] + [now.flow]
    if max(flows) - min(flows) > MOVING_FLOW * max(map(abs, flows)):
        return "The flow of this branch is changing"
    chips = [look.chip_c for look in [*past, now] if look.chip_c is not None]
    if chips and max(chips) - min(chips) > MOVING_CHIP_K:
        return "The chips of this branch are warming up or cooling down"
    return ""


def low_flow(flow: float, design: float) -> str:
    """Say that too little flows for a picture, both in m3/s."""
    return f"{max(0.0, 100 * flow / design):.0f} % of the design flow is left."


def find_branch(summary: dict[str, Any] | None, name: str) -> tuple[str, dict[str, Any]] | None:
    """Return a branch's loop and numbers from a summary; None where there is no such branch."""
    for loop, body in ((summary or {}).get("loops") or {}).items():
        if name in (body.get("branches") or {}):
            return loop, body["branches"][name]
    return None


class PlateDesk:
    """Keeps the plates that are looked at in step with the live loops.

    Parameters
    ----------
    source : LiveSource
    folder : Path, optional
        Of the layout, which design files are relative to; the working directory without it.

    Attributes
    ----------
    worker : ThreadPoolExecutor    Of one thread, that solves.
    """

    def __init__(self, source: LiveSource, folder: Path | None = None) -> None:
        self.source = source
        self._watched: dict[str, Watched] = {}
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="plate")
        self.cases = PlateCases(folder or Path.cwd())

    def close(self) -> None:
        """Let the running solve end, and start no other."""
        self.worker.shutdown(wait=False, cancel_futures=True)

    @property
    def watched(self) -> list[str]:
        """Names of the branches whose plates are kept, sorted."""
        return sorted(self._watched)

    def entry(self, branch: str) -> Watched:
        """Return what is known of the plate of a branch that was asked for; KeyError for another."""
        return self._watched[branch]

    async def frame_after(self, branch: str, number: int, patience: float = 1.5) -> bytes:
        """Return a plate newer than the one that a client has, or how things stand.

        Parameters
        ----------
        branch : str
        number : int
            The solve that the client has painted; -1 for none.
        patience : float
            How long to wait for a solve under way. [s]

        Returns
        -------
        bytes
            A frame of type ``field``, or ``status`` with ``plate`` (solving, current, unsteady or fault)
            and ``message``.

        Raises
        ------
        KeyError : the layout has no such branch, or the branch names no plate; says which.
        OutsideError : the twin has sent nothing yet.
        """
        watched = self._watch(branch)
        if watched.task is not None and (watched.number <= number or not watched.frame):
            await asyncio.wait({watched.task}, timeout=patience)
        wrong = watched.unsteady or watched.fault
        if watched.number > number and watched.frame and not wrong:
            return watched.frame
        busy = watched.task is not None and not watched.task.done()
        state = "solving" if busy else "current"
        if wrong:
            state = "unsteady" if watched.unsteady else "fault"
        return encode_frame(
            {"type": "status", "number": watched.number, "branch": branch, "plate": state, "message": wrong}
        )

    def probe(self, branch: str, point: tuple[float, float, float]) -> dict[str, Any]:
        """Return the temperature at a point of the newest solve, from its full field.

        Parameters
        ----------
        branch : str
        point : tuple of float
            In the plate's own coordinates. [m]

        Returns
        -------
        dict

        Raises
        ------
        KeyError : as `frame_after`.
        OutsideError : the plate has not been solved yet, or has no steady state now.
        """
        watched = self._watch(branch)
        if watched.unsteady:
            raise OutsideError(f"plate of branch '{branch}': no steady plate now. {watched.unsteady}")
        if watched.view is None:
            raise OutsideError(f"plate of branch '{branch}': not solved yet. Ask again in a moment.")
        view = watched.view
        lines = Lines(*(np.asarray(line, dtype=np.float64) for line in (view.x, view.y, view.z)))
        value = probe(lines, view.temperature, point)
        return {
            "branch": branch,
            "number": watched.number,
            "point": list(point),
            "temperature_c": None if value is None else round(value, 3),
        }

    def _watch(self, branch: str) -> Watched:
        """Note that somebody looks at a branch, and start a solve where one is due."""
        if self.source.snapshot is None:
            raise OutsideError(f"plate of branch '{branch}': {self.source.status()['message']}")
        found = find_branch(self.source.snapshot, branch)
        if found is None:
            raise KeyError(f"the layout has no branch '{branch}'")
        loop, body = found
        path = body.get("plate_spec")
        if not path:
            raise KeyError(
                f"branch '{branch}' names no design file of its plates: give cold_plates.spec in the layout"
            )
        watched = self._watched.setdefault(branch, Watched())
        watched.asked = time.monotonic()
        self._let_go(watched.asked)
        self._judge(loop, branch, body, str(path), watched)
        return watched

    def _let_go(self, now: float) -> None:
        """Drop what nobody asked for in a while, and the least recently asked where there are too many."""
        latest = sorted(self._watched, key=lambda name: self._watched[name].asked, reverse=True)
        for place, name in enumerate(latest):
            if place >= MOST_WATCHED or now - self._watched[name].asked > FORGOTTEN:
                dropped = self._watched.pop(name)
                if dropped.task is not None:
                    dropped.task.cancel()  # out of the queue; one that runs ends unheard

    def _judge(self, loop: str, branch: str, body: dict[str, Any], path: str, watched: Watched) -> None:
        silent = self.source.status()["status"] == "stale"
        if silent and watched.view is not None:
            return  # the picture is the twin's last, and so is the plate
        now = time.monotonic()
        flow, inlet, heat = (body.get(name) for name in ("flow_m3_s", "supply_c", "liquid_heat_w"))
        if flow is None or inlet is None or heat is None:
            watched.fault = "The twin does not know the flow, inlet temperature and heat of this branch yet."
            return
        whole = Point(float(flow), float(inlet), float(heat))
        watched.unsteady = self._unsteady(body, whole, watched, now)
        if watched.unsteady:
            watched.point, watched.frame = None, b""  # the next steady state is a new one
            return
        if watched.task is not None and not watched.task.done():
            return
        last, age = watched.point, now - watched.solved
        if watched.files != self.cases.stamp(path) or (watched.fault and age >= PERIOD):
            last = None  # a file has changed, or what was wrong may have been mended
        due = PERIOD if last is None or not last.moved(whole) else SETTLE
        if last is not None and (last == whole or age < due):
            return
        fluid = ((self.source.snapshot or {}).get("loops") or {}).get(loop, {}).get("fluid")
        wish = Wish(loop, branch, path, whole, fluid, body.get("chip_c"))
        watched.task = asyncio.get_running_loop().create_task(
            self._solve(wish, watched), name=f"plate {branch}"
        )

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                log.critical("plate of branch %r", branch, exc_info=error)
                watched.fault = "The solve of this plate failed; the log of the web process says why."
                watched.point, watched.solved = whole, time.monotonic()  # not at once again

        watched.task.add_done_callback(ended)

    def _unsteady(self, body: dict[str, Any], whole: Point, watched: Watched, now: float) -> str:
        """Note how the branch stands; say why it has no steady plate, or nothing."""
        look = Look(now, whole.flow, body.get("chip_c"))
        watched.past = [old for old in watched.past if now - old.time <= WINDOW]
        moving = restless(watched.past, look)
        watched.past.append(look)
        design = float(body.get("design_flow_m3_s") or watched.design_flow)
        if abs(whole.flow) < LEAST_FLOW:
            return STOPPED
        if whole.flow < LEAST_SHARE * design:
            return low_flow(whole.flow, design)
        return moving and f"{moving}. The picture comes back when it has settled."

    async def _solve(self, wish: Wish, watched: Watched) -> None:
        header = {
            "number": watched.number + 1,
            "loop": wish.loop,
            "branch": wish.branch,
            "sequence": (self.source.snapshot or {}).get("sequence"),
            "time": (self.source.snapshot or {}).get("time"),
        }
        try:
            view, frame = await asyncio.get_running_loop().run_in_executor(
                self.worker, self._work, header, wish, watched
            )
        except Unwanted:
            return
        except Unsteady as reason:
            watched.fault, watched.unsteady, watched.frame = "", str(reason), b""
        except Mismatch as reason:
            watched.fault, watched.frame = str(reason), b""
        except (TwinError, SolverError) as error:
            if watched.fault != plain(error):
                log.warning("plate of branch %r: %s", wish.branch, error)
            watched.fault = plain(error)
        else:
            watched.view, watched.frame, watched.fault = view, frame, ""
            watched.number += 1
        watched.point, watched.solved = wish.whole, time.monotonic()

    def _work(self, header: dict[str, Any], wish: Wish, watched: Watched) -> tuple[PlateView, bytes]:
        """Solve one plate and encode it; runs in the worker's thread."""
        if time.monotonic() - watched.asked > LOOKED_AWAY:
            raise Unwanted
        from twin.plates.view import plate_view  # noqa: PLC0415

        whole = wish.whole
        watched.files = self.cases.stamp(wish.path)  # where it cannot be read
        watched.files, case = self.cases.read(wish.path)
        wrong = other_fluid(case, wish.fluid)
        if wrong:
            raise Mismatch(wrong)
        count = case.spec.plates
        one = Point(whole.flow / count, whole.inlet_c, max(whole.heat, 0.0) / count)
        if one.flow < LEAST_FLOW:
            raise Unsteady(STOPPED)
        watched.design_flow = count * case.spec.coolant.flow
        if whole.flow < LEAST_SHARE * watched.design_flow:
            raise Unsteady(low_flow(whole.flow, watched.design_flow))
        try:
            view = plate_view(case, one.flow, kelvin(one.inlet_c), one.heat)
        except InputError as error:  # the file itself was found good
            log.warning("plate of branch %r: %s", wish.branch, error)
            raise Mismatch(uncovered(error)) from error
        operating = {"plates": count, "flow_m3_s": one.flow, "inlet_c": one.inlet_c, "heat_w": one.heat}
        compared = resistances(view, one.inlet_c, one.heat, wish.chip_c)
        return view, plate_frame(header | {"operating": operating, "compared": compared}, view)
