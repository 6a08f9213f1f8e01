"""The supervisor: starts the processes of a twin, brings back the ones that die, leaves none behind."""

from __future__ import annotations

import ctypes
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from twin.errors import OutsideError
from twin.runtime.state import StateFolder, write_json

log = logging.getLogger(__name__)

GRACE = 4.0  # from SIGTERM to SIGKILL [s]
BACKOFF = (
    0.2,
    1.0,
    2.0,
    5.0,
    10.0,
)  # pause before each restart of a process that keeps dying [s]
STEADY = 30.0  # a process that lived this long is a healthy one: its backoff starts again [s]
LOG_LIMIT = 4 * 2**20  # a process's log is turned over at this size when it starts [bytes]
PARENT_VARIABLE = "RACKLET_PARENT"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run.

    Attributes
    ----------
    name : str                 Shown to people, names the log file.
    arguments : tuple of str   Arguments of the Python interpreter: ``-m``, module, ...
    environment : mapping      Added to the supervisor's own.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    failures: int = 0
    due: float = 0.0
    last_exit: int | None = None


class Supervisor:
    """Keeps a set of processes running until told to stop.

    Parameters
    ----------
    specs : sequence of ProcessSpec
        Started in this order.
    state : StateFolder
        Where the logs and ``run/processes.json`` go.
    on_event : callable, optional
        Called with a line of text when a process ends or comes back.
    """

    def __init__(
        self, specs: Sequence[ProcessSpec], state: StateFolder, on_event: Callable[[str], None] = log.info
    ) -> None:
        self._children = [_Child(spec) for spec in specs]
        self._state = state
        self._say = on_event
        self._stop = threading.Event()
        self._usage: dict[int, psutil.Process] = {}
        self._report_failed = False

    def stop(self) -> None:
        """Ask :meth:`run` to end; may be called from a signal handler."""
        self._stop.set()

    def run(self, poll: float = 0.1, report: float = 1.0) -> None:
        """Start everything, restart what dies, return when :meth:`stop` was called and all have ended.

        Parameters
        ----------
        poll : float
            How often to look for ended processes. [s]
        report : float
            How often to write ``run/processes.json``. [s]
        """
        next_report = 0.0
        try:
            while not self._stop.is_set():
                for child in self._children:
                    self._look_after(child)
                if time.monotonic() >= next_report:
                    self._report()
                    next_report = time.monotonic() + report
                self._stop.wait(poll)
        finally:
            self._end_all()
            self._report()

    def status(self) -> dict[str, Any]:
        """Return, by process name: pid, whether it runs, restarts, uptime [s], CPU [% of a core], memory."""
        usage = self._measure()
        return {child.spec.name: _describe(child, usage) for child in self._children}

    def restart(self, names: Collection[str]) -> None:
        """End these processes; they are started again one after the other as they end."""
        for child in self._children:
            if child.spec.name in names and child.process is not None:
                self._say(f"{child.spec.name} is started anew")
                _signal_group(child.process, signal.SIGTERM)

    def _report(self) -> None:
        """Write ``run/processes.json``; a full disk is said once and stops nothing."""
        try:
            write_json(self._state.processes, self.status())
        except OutsideError as error:
            if not self._report_failed:
                self._say(f"warning: {error}")
            self._report_failed = True
        else:
            self._report_failed = False

    def _measure(self) -> dict[int, tuple[float, float]]:
        """Return CPU [% of a core] and memory [MB] by session, each process with all it started."""
        found: dict[int, psutil.Process] = {}
        totals: dict[int, tuple[float, float]] = {}
        for seen in psutil.Process().children(recursive=True):
            process = self._usage.get(seen.pid, seen)
            try:
                with process.oneshot():
                    cpu, memory = process.cpu_percent(), process.memory_info().rss / 2**20
                session = os.getsid(process.pid)
            except (psutil.Error, ProcessLookupError):
                continue
            found[process.pid] = process
            before = totals.get(session, (0.0, 0.0))
            totals[session] = (before[0] + cpu, before[1] + memory)
        self._usage = found
        return totals

    def _look_after(self, child: _Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.due:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        _signal_group(child.process, signal.SIGKILL)  # what it had started itself must not live on
        lived = time.monotonic() - child.started
        child.failures = 0 if lived > STEADY else child.failures + 1
        pause = BACKOFF[min(child.failures, len(BACKOFF)) - 1] if child.failures else 0.0
        child.process, child.last_exit = None, code
        child.due = time.monotonic() + pause
        child.restarts += 1
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._say(f"{child.spec.name} {how}; it is started again (log: {self._log(child.spec)})")

    def _start(self, child: _Child) -> None:
        try:
            child.process = self._spawn(child.spec)
        except OSError as error:
            child.failures += 1
            child.due = time.monotonic() + BACKOFF[min(child.failures, len(BACKOFF)) - 1]
            if child.failures == 1:
                self._say(f"{child.spec.name} cannot be started: {error}; it is tried again")
            return
        child.started = time.monotonic()

    def _spawn(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        path = self._log(spec)
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *spec.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends the others in order
                env={**os.environ, **spec.environment, PARENT_VARIABLE: str(os.getpid())},
            )

    def _log(self, spec: ProcessSpec) -> Path:
        return self._state.logs / f"{spec.name}.log"

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process %d did not end in %g s; killed", process.pid, GRACE)
            _signal_group(process, signal.SIGKILL)  # also whatever it started itself
            process.wait()
        for child in self._children:
            child.process = None


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _describe(child: _Child, usage: Mapping[int, tuple[float, float]]) -> dict[str, Any]:
    body: dict[str, Any] = {"running": child.process is not None, "restarts": child.restarts, "pid": None}
    if child.process is not None:
        cpu, memory = usage.get(child.process.pid, (0.0, 0.0))
        body |= {
            "pid": child.process.pid,
            "uptime_s": round(time.monotonic() - child.started, 1),
            "cpu_percent": round(cpu, 1),
            "memory_mb": round(memory, 1),
        }
    elif child.last_exit is not None:
        body["last_exit"] = child.last_exit
    return body


def die_with_parent() -> None:
    """Make the kernel end this process when the supervisor that started it is gone (Linux).

    Without a supervisor (``RACKLET_PARENT`` unset) nothing is changed.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit("the supervisor is gone")
