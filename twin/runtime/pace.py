"""Pace: keeps the solver in step with the wall clock, and says so when it cannot.

Three levels of effort, each visible to people: full accuracy, larger time steps, a coarser grid. When
even the last one is too slow, simulated time is skipped, and the loss is reported.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """One level of effort.

    Attributes
    ----------
    cfl : float           Courant number of the time steps. [-]
    coarsening : float    Cell size over the twin's normal cell size. [-]
    note : str            What people see; empty at full accuracy.
    """

    cfl: float
    coarsening: float
    note: str


EFFORTS = (
    Effort(4.0, 1.0, ""),
    Effort(12.0, 1.0, "larger time steps: the solver cannot keep up with the clock"),
    Effort(12.0, 1.6, "coarser grid and larger time steps: the solver cannot keep up with the clock"),
)


MEMORY = 0.9  # weight of the past, per call, in the real-time factor: about ten calls [1]


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """When to change the effort.

    Attributes
    ----------
    allowed_lag : float     Behind the clock for longer than this: less effort. [s]
    hopeless_lag : float    Behind by more than this at the least effort: skip. [s]
    margin : float          Real-time factor that the next higher effort must promise. [-]
    patience : float        Time at a level before a higher one is tried; doubles after each failure. [s]
    """

    allowed_lag: float = 2.0
    hopeless_lag: float = 10.0
    margin: float = 1.5
    patience: float = 30.0


class Pace:
    """Chooses the effort from how the work goes.

    Parameters
    ----------
    settings : PaceSettings

    Attributes
    ----------
    level : int               Index into ``EFFORTS``.
    real_time_factor : float  Simulated over spent time, smoothed over about ten calls. [-]
    skipped : float           Simulated time left out so far. [s]
    """

    def __init__(self, settings: PaceSettings | None = None) -> None:
        self.settings = settings or PaceSettings()
        self.level = 0
        self.real_time_factor = 0.0
        self.skipped = 0.0
        self._since = 0.0
        self._patience = self.settings.patience
        self._simulated = self._spent = 0.0

    @property
    def effort(self) -> Effort:
        """The present effort."""
        return EFFORTS[self.level]

    @property
    def degraded(self) -> str | None:
        """What people must be told, or None at full accuracy."""
        return self.effort.note or None

    def record(self, now: float, simulated: float, spent: float, lag: float) -> None:
        """Take note of one advance and choose the effort of the next.

        Parameters
        ----------
        now : float         Monotonic clock. [s]
        simulated : float   How far the state was advanced. [s]
        spent : float       How long that took. [s]
        lag : float         How far the state is behind the clock after it. [s]
        """
        if simulated <= 0.0:
            return
        self._simulated = MEMORY * self._simulated + simulated
        self._spent = MEMORY * self._spent + max(spent, 1e-6)
        self.real_time_factor = self._simulated / self._spent
        if lag > self.settings.allowed_lag and self.level < len(EFFORTS) - 1:
            self._patience = min(8 * self.settings.patience, 2 * self._patience)
            self._move(now, self.level + 1)
        elif self.level > 0 and lag < 0.5 * self.settings.allowed_lag and now - self._since > self._patience:
            if self._promised() > self.settings.margin:
                self._move(now, self.level - 1)
        elif self.level == 0 and now - self._since > 4 * self._patience:
            self._patience = self.settings.patience

    def excess(self, lag: float) -> float:
        """Return how much simulated time to skip now [s], and count it; 0 while there is hope."""
        if lag <= self.settings.hopeless_lag or self.level < len(EFFORTS) - 1:
            return 0.0
        self.skipped += lag
        return lag

    def _promised(self) -> float:
        """Real-time factor to expect one level up, from the work per simulated second."""
        here, above = EFFORTS[self.level], EFFORTS[self.level - 1]
        work = (here.cfl / above.cfl) * (here.coarsening / above.coarsening) ** 4
        return self.real_time_factor / work

    def _move(self, now: float, level: int) -> None:
        self.level = level
        self._since = now
        self._simulated = self._spent = 0.0
