"""Trials: the live twin run ahead in a process of its own, so that looking ahead never holds it up."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from twin.errors import OutsideError
from twin.runtime.trial_worker import TrialOptions, TrialResult

if TYPE_CHECKING:
    from solvers.airflow.case import AirState
    from twin.model.operating import Operating
    from twin.model.schema import Layout
    from twin.runtime.engine import Prepared

__all__ = ["TrialOptions", "TrialResult", "TwinTrial"]

log = logging.getLogger(__name__)

COARSENING = (
    1.6  # cells of a trial over those of the layout: a quarter of the cells, about a sixth of the work
)
START_LIMIT = 240.0  # s, for a worker to build its scene and compile
CLOSE_LIMIT = 3.0  # s
WORK = "from twin.runtime.trial_worker import main; main()"  # not -m: its types would be __main__'s


class Present(Protocol):
    """The live twin at one instant."""

    @property
    def prepared(self) -> Prepared:
        """Scene and model of the state."""
        ...

    @property
    def state(self) -> AirState:
        """State of the air."""
        ...

    @property
    def coolant(self) -> Mapping[str, NDArray[Any]]:
        """State of the coolant loops as arrays; empty without loops."""
        ...


class TwinTrial:
    """Runs the twin ahead of the clock in a worker process.

    The worker has one thread and a low priority, builds the scene once on a coarser grid, and gets the live
    state by message. When it dies or does not answer, the trial at hand fails with an error that says so, and
    the next one starts a new worker. Use it from one thread; ``cancel`` and ``close`` may come from any.

    Parameters
    ----------
    layout : Layout
    current : callable        Returns the live twin's newest consistent view, or None while there is none.
    cell : float, optional    Target cell size of the trials; without it 1.6 times the layout's. [m]
    options : TrialOptions
    limit : float             A request that takes longer is given up. [s]
    """

    def __init__(
        self,
        layout: Layout,
        current: Callable[[], Present | None],
        cell: float | None = None,
        options: TrialOptions | None = None,
        limit: float = 120.0,
    ) -> None:
        self._layout = layout
        self._current = current
        self._cell = cell or COARSENING * layout.air.cell
        self._options = options or TrialOptions()
        self._limit = limit
        self._cancelled = threading.Event()
        self._worker: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._known: Prepared | None = None
        self._frozen: tuple[Prepared, AirState, dict[str, NDArray[Any]]] | None = None
        self.cells: int | None = None

    @property
    def worker_id(self) -> int | None:
        """Process id of the worker, None while there is none."""
        return self._worker.pid if self._worker is not None else None

    def start(self) -> None:
        """Start the worker and let it build its scene, so that the first trial does not wait for it.

        Raises
        ------
        OutsideError : the worker cannot be started, or cannot build the scene.
        """
        if self._worker is not None and self._worker.poll() is None:
            return
        self._drop()
        ours, theirs = socket.socketpair()
        environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
        command = [sys.executable, "-c", WORK, str(theirs.fileno())]
        try:
            self._worker = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            ours.close()
            raise OutsideError(f"the trial worker cannot be started: {error}") from error
        finally:
            theirs.close()
        self._connection = Connection(ours.detach())
        begun = time.monotonic()
        self.cells = self._ask(("scene", self._layout, self._cell), START_LIMIT)
        log.info("trial worker: %d cells, ready after %.1f s", self.cells, time.monotonic() - begun)

    def freeze(self) -> None:
        """Take the live twin's present state; every trial that follows starts from it.

        Raises
        ------
        OutsideError : there is no state yet, or the worker failed.
        """
        self._cancelled.clear()
        present = self._current()
        if present is None:
            raise OutsideError("the twin has no state yet")
        self._frozen = (present.prepared, present.state, dict(present.coolant))
        self.start()
        self._hand_over()

    def __call__(self, now: Operating, candidate: Operating, horizon: float) -> TrialResult:
        """Run ahead from the frozen state.

        Parameters
        ----------
        now : Operating          In force for the first seconds, until a plan has been carried out.
        candidate : Operating    In force from then on.
        horizon : float          [s]

        Returns
        -------
        TrialResult

        Raises
        ------
        OutsideError : cancelled, not answered in time, worker dead, or solver failed; nothing is known.
        """
        if self._frozen is None:
            raise OutsideError("freeze() comes before a trial")
        if self._worker is None or self._worker.poll() is not None:
            self.start()
            self._hand_over()
        return self._ask(("run", now, candidate, horizon, self._options), self._limit)

    def cancel(self) -> None:
        """Give up the trial at hand; the next one starts a new worker."""
        self._cancelled.set()

    def close(self) -> None:
        """Stop the worker."""
        self._cancelled.set()
        self._drop()

    def _hand_over(self) -> None:
        if self._frozen is None:
            return
        prepared, state, coolant = self._frozen
        scene = prepared.scene
        live = None
        if prepared is not self._known and (
            self._known is None or prepared.scene is not self._known.scene
        ):  # a new view of the same scene needs no new grid
            live = (scene.case, scene.closure, self._layout.air.reference_temperature)
        self._ask(("state", live, state, coolant), self._limit)
        self._known = prepared

    def _ask(self, request: tuple[Any, ...], limit: float) -> Any:
        connection, worker = self._connection, self._worker
        if connection is None or worker is None:
            raise OutsideError("the trial worker is not running")
        end = time.monotonic() + limit
        try:
            connection.send(request)
            while not connection.poll(0.2):
                if self._cancelled.is_set():
                    self._drop()
                    raise OutsideError("the trial was cancelled")
                if time.monotonic() > end:
                    self._drop()
                    raise OutsideError(f"the trial took longer than {limit:.0f} s and was given up")
            kind, value = connection.recv()
        except (EOFError, OSError, pickle.PickleError) as error:
            code = worker.poll()
            self._drop()
            raise OutsideError(f"the trial worker died (exit status {code}); a new one is started") from error
        if kind == "error":
            raise OutsideError(f"the trial failed: {value}")
        return value

    def _drop(self) -> None:
        """Forget the worker; it ends by itself when its connection closes, or is killed."""
        connection, worker = self._connection, self._worker
        self._connection, self._worker, self._known = None, None, None
        if connection is not None:
            connection.close()
        if worker is not None:
            worker.kill()
            worker.wait(CLOSE_LIMIT)
