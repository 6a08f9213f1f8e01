"""How fast the air moves on, on this machine: ``make bench``. Figures without a verdict; quote ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numba
import numpy as np

from solvers.airflow.model import advance, initial_state, prepare, solve_steady, warm_up
from twin.model.load import example_layout, load_layout
from twin.model.scene import Operating, build_scene

CELLS = (0.2, 0.12)  # target cell sizes [m]


def times(action: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the shortest and the median wall time. [s]."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken), statistics.median(taken)


def triad(size: int = 2**24) -> float:
    """Memory bandwidth of a = b + s c on one thread. [GB/s]."""
    b, c, a = (np.ones(size, np.float32) for _ in range(3))
    shortest, _ = times(lambda: np.add(np.multiply(c, 3.0, out=a), b, out=a), 5)
    return 5 * 4 * size / shortest / 1e9


def main() -> None:
    """Print a line a figure."""
    warm_up()
    print(f"threads {numba.get_num_threads()}, memory triad {triad():.1f} GB/s (one thread)")
    layout = load_layout(example_layout("pod_two_row"))
    for cell in CELLS:
        scene = build_scene(layout, cell)
        model = prepare(scene.case, scene.closure)
        inputs = scene.unit_inputs(Operating.nominal(layout))
        state = advance(model, initial_state(model, 292.0), inputs, 20.0)
        shortest, median = times(lambda m=model, s=state, i=inputs: advance(m, s, i, 2.0), 7)
        steady = solve_steady(model, inputs)
        print(
            f"{layout.name}, {scene.cells} cells: advance {2 / shortest:.1f}x real time at best, "
            f"{2 / median:.1f}x median (Courant number 4); "
            f"steady {steady.wall_s:.1f} s, {steady.steps} steps, "
            f"mass {steady.balances.mass_relative:.0e}, heat {steady.balances.energy_relative:.1e}"
        )


if __name__ == "__main__":
    main()
