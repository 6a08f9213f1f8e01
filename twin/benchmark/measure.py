"""Times, memory bandwidth, and work in a process of its own."""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads, njit

from solvers.errors import SolverError
from twin.errors import OutsideError, TwinError

Tell = Callable[[str], None]
"""Takes a line about what is going on."""

TRIAD_SIZE = 2**24
"""Values in each array of the triad: three arrays of 64 MB, beyond any cache."""
_WORD = 4  # bytes of a float32
_WORK = "import sys; from twin.benchmark.measure import serve; serve(int(sys.argv[1]))"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux alone


class Timing(NamedTuple):
    """Wall times of an action.

    Attributes
    ----------
    best, median : float    [s]
    repeats : int           [-]
    """

    best: float
    median: float
    repeats: int


def timed(
    action: Callable[[], object],
    seconds: float = 0.5,
    least: int = 5,
    most: int = 500,
    before: Callable[[], object] = lambda: None,
) -> Timing:
    """Run an action again and again.

    Parameters
    ----------
    action : callable
        Without arguments; runs once more before the clock starts.
    seconds : float
        How long to go on. [s]
    least, most : int
        Repetitions, whatever the time. [-]
    before : callable
        Goes before each repetition; not timed.

    Returns
    -------
    Timing
    """
    before()
    action()
    taken: list[float] = []
    while len(taken) < least or (sum(taken) < seconds and len(taken) < most):
        before()
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return Timing(min(taken), statistics.median(taken), len(taken))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def triad(b, c, s, out):
    """Set out = b + s c: two reads and a write a value, the measure of memory bandwidth (McCalpin 1995)."""
    factor = np.float32(s)
    for n in range(out.size):
        out[n] = b[n] + factor * c[n]


class Memory(NamedTuple):
    """Bandwidth of the memory, by the triad: three arrays counted once each, as STREAM does.

    Attributes
    ----------
    gb_s : float               With all threads, fastest repetition. [GB/s]
    one_thread_gb_s : float    With one. [GB/s]
    threads : int              All of them.
    """

    gb_s: float
    one_thread_gb_s: float
    threads: int


def measure_memory(tell: Tell, size: int = TRIAD_SIZE, seconds: float = 1.0) -> Memory:
    """Measure the bandwidth of the memory.

    Parameters
    ----------
    tell : callable   Takes what is going on.
    size : int        Values in each array. [-]
    seconds : float   How long to measure each. [s]

    Returns
    -------
    Memory

    Raises
    ------
    OutsideError : the sums are wrong.
    """
    tell("memory triad")
    threads = int(get_num_threads())
    one, every = (_triad_bandwidth(count, size, seconds) for count in (1, threads))
    return Memory(max(one, every), one, threads)


def _triad_bandwidth(threads: int, size: int, seconds: float) -> float:
    arrays = [np.full(size, value, dtype=np.float32) for value in (1.0, 2.0, 0.0)]
    edges = np.linspace(0, size, threads + 1).astype(int)
    pieces = [tuple(array[lo:hi] for array in arrays) for lo, hi in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        shortest = timed(lambda: list(pool.map(_triad_piece, pieces)), seconds).best
    if not (arrays[2] == 7.0).all():
        raise OutsideError("the memory triad gave a wrong sum: this machine's numba or memory is faulty.")
    return 3 * _WORD * size / shortest / 1e9


def _triad_piece(piece: tuple[Any, ...]) -> None:
    b, c, out = piece
    triad(b, c, 3.0, out)


def cache_size() -> int:
    """Size of the last-level cache; 0 where the system does not tell. [B]."""
    scale = {"K": 2**10, "M": 2**20, "": 1}
    sizes = [0]
    for entry in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        found = re.fullmatch(r"(\d+)([KM]?)", entry.read_text().strip())
        if found:
            sizes.append(int(found[1]) * scale[found[2]])
    return max(sizes)


def processor() -> str:
    """Name of the processor; empty where the system does not tell."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1] if found else ""


class Apart(NamedTuple):
    """What a function in a process of its own returned.

    Attributes
    ----------
    value : Any
    memory : int    Most that the process held during the function, less what it held before. [B]
    """

    value: Any
    memory: int


def run_apart(
    function: Callable[..., Any], *args: Any, tell: Tell | None = None, threads: int | None = None
) -> Apart:
    """Call a function in a new process whose kernels are ready, and measure the memory it takes.

    Parameters
    ----------
    function : callable
        Of a module, so that it is found there again; called as ``function(*args, tell)``.
    *args
        Anything that can be pickled.
    tell : callable, optional
        Gets a line for each kernel that is compiled or loaded, and those that the function hands to its own.
    threads : int, optional
        That the solver may use in the process; all by default. [-]

    Returns
    -------
    Apart

    Raises
    ------
    OutsideError : the process died; it has told why on standard error.
    SolverError, TwinError : what the function raised.
    """
    environment = {} if threads is None else {"NUMBA_NUM_THREADS": str(threads)}
    ours, theirs = socket.socketpair()
    try:
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORK, str(theirs.fileno())],
            env=os.environ | environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    finally:
        theirs.close()
    connection = Connection(ours.detach())
    try:
        connection.send((function, args))
        while True:
            kind, content = connection.recv()
            if kind == "done":
                return Apart(*content)
            if kind == "failed":
                raise content
            if tell is not None:
                tell(content)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = worker.wait()
        raise OutsideError(f"the measuring process died with exit code {code}.") from None
    finally:
        worker.terminate()
        worker.wait()
        connection.close()


def serve(handle: int) -> None:
    """Do what `run_apart` asks of its process, at the other end of a socket.

    Parameters
    ----------
    handle : int    Of the socket.
    """
    from solvers.airflow.model import warm_up  # noqa: PLC0415 - in the new process only

    connection = Connection(handle)

    def tell(text: str) -> None:
        connection.send(("told", text))

    try:
        function, args = connection.recv()
        warm_up(lambda kernel, done, total: tell(f"preparing kernels: {kernel}"))
        before = resident()
        forget_peak()
        value = function(*args, tell)
        connection.send(("done", (value, peak() - before)))
    except KeyboardInterrupt:  # the one who asked was interrupted as well and tells
        sys.exit(1)
    except (SolverError, TwinError) as error:
        connection.send(("failed", error))


def resident() -> int:
    """Memory that this process holds now. [B]."""
    return _status("VmRSS")


def peak() -> int:
    """Most memory that this process has held since its start or the last `forget_peak`. [B]."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Start the peak anew from what is held now, as Linux allows."""
    if _CLEAR.exists():
        _CLEAR.write_text("5", encoding="ascii")


def _status(name: str) -> int:
    if not _STATUS.exists():
        return 0
    found = re.search(rf"^{name}:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
