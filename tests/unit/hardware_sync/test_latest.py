from __future__ import annotations

import threading

from hardware_sync.latest import LatestReadings
from twin.ports import Quality, Reading


def test_the_reading_measured_last_stays_whatever_arrives_last():
    table = LatestReadings()
    table.update([Reading("a.x", 1.0, 10.0), Reading("a.x", 2.0, 9.0), Reading("b.x", 3.0, 1.0)])
    assert table.get("a.x") == Reading("a.x", 1.0, 10.0)
    assert table.get("c.x") is None
    assert set(table.snapshot()) == {"a.x", "b.x"}


def test_bad_and_old_readings_are_not_relied_on():
    table = LatestReadings()
    table.update(
        [
            Reading("good", 1.0, 99.0),
            Reading("fair", 2.0, 99.0, Quality.UNCERTAIN),
            Reading("bad", 3.0, 99.9, Quality.BAD),
            Reading("old", 4.0, 90.0),
        ]
    )
    assert table.values(now=100.0, maximum_age=5.0) == {"good": 1.0, "fair": 2.0}
    assert table.age(100.0) == 1.0
    assert LatestReadings().age(100.0) == float("inf")


def test_threads_do_not_lose_updates():
    table = LatestReadings()

    def fill(name: str) -> None:
        for k in range(1000):
            table.update([Reading(f"{name}.{k % 50}", float(k), float(k))])

    threads = [threading.Thread(target=fill, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(table.snapshot()) == 200
    assert {reading.value for reading in table.snapshot().values()} == {float(k) for k in range(950, 1000)}
