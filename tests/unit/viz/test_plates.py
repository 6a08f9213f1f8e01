"""Cold plates behind the page: the model's own loop over the real feed, the real solver, the real routes."""

from __future__ import annotations

import asyncio
import json
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from twin.model.circuits import Coolant
from twin.model.load import load_layout
from twin.model.operating import CoolantSettings
from twin.runtime.feed import FeedServer
from viz.app import create_app
from viz.field import FRAME_LIMIT, decode_frame
from viz.plate_cases import PlateCases
from viz.plate_frame import averaged
from viz.plates import LOOKED_AWAY, MOST_WATCHED, Look, PlateDesk, Point, find_branch, restless
from viz.source import LiveSource

LAYOUT = Path(__file__).parents[3] / "layouts" / "liquid_row.yaml"
DESIGN = LAYOUT.parent / "coldplates" / "racklet_30kw.yaml"
AIR_K = 293.15
HELLO = {"scene": [], "grid": {"x": [0.0, 1.0], "y": [0.0, 1.0], "z": [0.0, 1.0]}, "layout": "liquid row"}


@pytest.fixture(scope="module")
def loops() -> dict[str, Any]:
    layout = load_layout(LAYOUT)
    coolant = Coolant(layout)
    power = {rack.id: rack.nominal_power for rack in layout.racks}
    coolant.settle(power, dict.fromkeys(power, AIR_K), CoolantSettings())
    return json.loads(json.dumps(coolant.summary(), allow_nan=False))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FeedServer]:
    feed = FeedServer(tmp_path / "feed.sock", HELLO)
    yield feed
    feed.close()


def publish(server: FeedServer, sequence: int, loops: dict[str, Any]) -> None:
    body = {"sequence": sequence, "time": time.time(), "status": "live", "data_age_s": 0.5, "loops": loops}
    server.publish_snapshot(body, np.full((1, 1, 1), 21.0, dtype=np.float32))


def changed(loops: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Return the loops with other values of branch B01."""
    copy = json.loads(json.dumps(loops))
    copy["L1"]["branches"]["B01"] |= values
    return copy


async def until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.01)


def test_an_operating_point_moves_by_more_than_noise() -> None:
    here = Point(4e-4, 30.0, 16e3)
    assert not here.moved(Point(4.05e-4, 30.1, 16.2e3))
    assert here.moved(Point(4e-4, 30.3, 16e3))
    assert here.moved(Point(3.9e-4, 30.0, 16e3))
    assert here.moved(Point(4e-4, 30.0, 17e3))


def test_a_branch_that_moves_is_told_from_noise() -> None:
    calm = [Look(0.0, 4.00e-4, 55.0), Look(2.0, 3.95e-4, 55.6)]
    assert restless(calm, Look(4.0, 4.05e-4, 55.2)) == ""
    assert restless([], Look(4.0, 4.05e-4, None)) == ""
    assert "flow" in restless(calm, Look(4.0, 3.4e-4, 55.2))  # a pump runs down
    assert "flow" in restless([Look(0.0, 0.0, 70.0)], Look(2.0, 1e-5, 70.0))
    assert "chips" in restless(calm, Look(4.0, 4.0e-4, 57.5))


def test_a_branch_is_found_in_its_loop(loops: dict[str, Any]) -> None:
    found = find_branch({"loops": loops}, "B02")
    assert found is not None
    assert (found[0], found[1]["rack"]) == ("L1", "R02")
    assert find_branch({"loops": loops}, "B99") is None
    assert find_branch({}, "B01") is None
    assert find_branch(None, "B01") is None


def test_merged_columns_keep_the_heat_and_the_gaps() -> None:
    lines = np.concatenate([[0.0], np.cumsum(np.tile([0.3, 0.15], 100))])
    field = np.random.default_rng(3).uniform(20.0, 60.0, (200, 2, 3)).astype(np.float32)
    field[:60, :, 0] = np.nan  # beside a chip
    across, merged = averaged(lines, field, most=50)
    assert merged.shape == (50, 2, 3)
    assert (across[0], across[-1]) == (lines[0], lines[-1])
    before = np.nansum(field * np.diff(lines)[:, None, None], axis=0)
    after = np.nansum(merged * np.diff(across)[:, None, None], axis=0)
    assert after == pytest.approx(before, rel=1e-5)  # float32
    assert np.isnan(merged[:15, :, 0]).all()
    assert np.isfinite(merged[15:]).all()
    assert averaged(lines, field, most=200)[1] is field


def test_a_plate_is_solved_for_its_branch_and_probed(
    server: FeedServer, tmp_path: Path, loops: dict[str, Any]
) -> None:
    async def settled(client: httpx.AsyncClient, after: int) -> tuple[dict[str, Any], bytes]:
        end = time.monotonic() + 60  # a first solve compiles
        while True:
            reply = await client.get("/api/plates/B01", params={"after": after})
            assert reply.status_code == 200
            header, texture = decode_frame(reply.content)
            if header["type"] == "field" or header["plate"] in {"fault", "unsteady"}:
                assert len(reply.content) < FRAME_LIMIT
                return header, texture
            assert time.monotonic() < end, header
            await asyncio.sleep(0.1)

    async def scenario() -> None:
        source = LiveSource(tmp_path / "feed.sock")
        following = asyncio.create_task(source.run())
        app = create_app(source, tmp_path / "history.db", layout=LAYOUT)
        transport = httpx.ASGITransport(app=app.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8050") as client:
            assert (await client.get("/api/plates/B01")).status_code == 503
            assert "/assets/viewer.js" in (await client.get("/coolant")).text  # the one document
            publish(server, 1, loops)
            await until(lambda: source.snapshot is not None)
            branch = loops["L1"]["branches"]["B01"]
            header, texture = await settled(client, -1)
            assert math.prod(header["shape"]) == len(texture)
            operating, numbers = header["operating"], header["numbers"]
            assert operating["plates"] == 24
            assert operating["flow_m3_s"] == pytest.approx(branch["flow_m3_s"] / 24)
            assert operating["heat_w"] == pytest.approx(branch["liquid_heat_w"] / 24)
            # all heat of the plates goes into the coolant: its rise is the branch's own, but for the
            # properties' temperature and the friction between header and plate
            rise = branch["return_c"] - branch["supply_c"]
            assert numbers["coolant_rise_k"] == pytest.approx(rise, rel=0.02)
            low, high = header["range"]
            assert low <= branch["supply_c"] < numbers["hottest_c"] < high
            compared = header["compared"]
            assert branch["supply_c"] < compared["mean_c"] < numbers["hottest_c"]
            assert compared["mean_resistance_k_w"] < numbers["thermal_resistance_k_w"]
            own = 24 * (branch["chip_c"] - branch["supply_c"]) / branch["liquid_heat_w"]
            assert compared["loop_resistance_k_w"] == pytest.approx(own, abs=1e-6)  # as it is rounded
            chip = next(box for box in header["boxes"] if box["name"] == numbers["hottest"])
            place = [0.5 * (a + b) for a, b in zip(chip["lo"], chip["hi"], strict=True)]
            inside = dict(zip("xyz", place, strict=True))
            probe = (await client.get("/api/plates/B01/probe", params=inside)).json()
            assert branch["supply_c"] < probe["temperature_c"] < numbers["hottest_c"]
            beside = (
                await client.get("/api/plates/B01/probe", params={"x": 1e-3, "y": 1e-3, "z": 1e-4})
            ).json()
            assert beside["temperature_c"] is None  # no chip there
            bad = await client.get("/api/plates/B01/probe", params=inside | {"x": "nan"})
            assert bad.status_code == 422

            again = decode_frame((await client.get("/api/plates/B01", params={"after": 0})).content)[0]
            assert (again["type"], again["number"]) == ("status", 0)
            publish(server, 2, changed(loops, liquid_heat_w=1.5 * branch["liquid_heat_w"]))
            hotter, _ = await settled(client, 0)
            assert hotter["number"] == 1
            growth = (hotter["numbers"]["hottest_c"] - branch["supply_c"]) / (
                numbers["hottest_c"] - branch["supply_c"]
            )
            assert growth == pytest.approx(1.5, rel=0.03)  # linear but for the coolant's properties

            publish(server, 3, changed(loops, flow_m3_s=0.0))
            await until(lambda: (source.snapshot or {})["sequence"] == 3)
            stopped, _ = await settled(client, 1)
            assert stopped["plate"] == "unsteady"
            assert "No flow" in stopped["message"]
            assert (await client.get("/api/plates/B01/probe", params=inside)).status_code == 503
            assert (await client.get("/api/plates/B99")).status_code == 404
            publish(server, 4, changed(loops, plate_spec=None))
            await until(lambda: (source.snapshot or {})["sequence"] == 4)
            bare = await client.get("/api/plates/B01")
            assert (bare.status_code, "cold_plates.spec" in bare.json()["detail"]) == (404, True)
            foreign = await client.get("/api/plates/B01", headers={"host": "evil.example"})
            assert foreign.status_code == 421
            for path in ("/api/plates/B01", "/api/plates/B01/probe?x=0&y=0&z=0"):
                for sign in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
                    assert (await client.get(path, headers=sign)).status_code == 403
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())


@pytest.fixture
def desk(server: FeedServer, tmp_path: Path, loops: dict[str, Any]) -> Iterator[PlateDesk]:
    """A desk whose one worker is held until the test lets it go."""
    source = LiveSource(tmp_path / "feed.sock")

    async def hear() -> None:
        following = asyncio.create_task(source.run())
        publish(server, 1, loops)
        await until(lambda: source.snapshot is not None)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(hear())
    made = PlateDesk(source, LAYOUT.parent)
    yield made
    made.close()


def test_only_so_many_plates_wait_for_a_solve(desk: PlateDesk) -> None:
    async def scenario() -> None:
        held = threading.Event()
        desk.worker.submit(held.wait)
        try:
            names = [f"B{number:02d}" for number in range(1, 7)]
            for name in names:
                await desk.frame_after(name, -1, patience=0.0)
            assert desk.watched == names[-MOST_WATCHED:]
            waiting = [task for task in asyncio.all_tasks() if task.get_name().startswith("plate ")]
            await asyncio.sleep(0)
            assert sorted(task.get_name()[6:] for task in waiting if not task.cancelled()) == desk.watched
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            held.set()

    asyncio.run(scenario())


def test_a_solve_that_nobody_waits_for_is_skipped(desk: PlateDesk) -> None:
    async def scenario() -> None:
        held = threading.Event()
        desk.worker.submit(held.wait)
        try:
            await desk.frame_after("B01", -1, patience=0.0)
            desk.entry("B01").asked -= LOOKED_AWAY + 1.0
            task = desk.entry("B01").task
        finally:
            held.set()
        assert task is not None
        await task
        assert (desk.entry("B01").number, desk.entry("B01").point) == (-1, None)

    asyncio.run(scenario())


def test_a_plate_is_shown_again_when_its_branch_has_settled(desk: PlateDesk, loops: dict[str, Any]) -> None:
    def now(**values: Any) -> None:
        desk.source.feed.snapshot = {"sequence": 2, "time": 0.0, "loops": changed(loops, **values)}

    async def ask(number: int) -> dict[str, Any]:
        end = time.monotonic() + 60  # a first solve compiles
        while True:
            header, _ = decode_frame(await desk.frame_after("B01", number))
            if header["type"] == "field" or header["plate"] != "solving":
                return header
            assert time.monotonic() < end

    async def scenario() -> None:
        design = loops["L1"]["branches"]["B01"]["flow_m3_s"]
        assert (await ask(-1))["number"] == 0
        now(flow_m3_s=0.7 * design)
        moving = await ask(0)
        assert (moving["plate"], "changing" in moving["message"]) == ("unsteady", True)
        now(flow_m3_s=0.1 * design)
        desk.entry("B01").past.clear()  # as after a while
        low = await ask(-1)
        assert low["plate"] == "unsteady"
        assert "% of the design flow" in low["message"]
        now(flow_m3_s=0.5 * design)
        desk.entry("B01").past.clear()
        again = await ask(-1)
        assert (again["type"], again["number"]) == ("field", 1)
        assert again["operating"]["flow_m3_s"] == pytest.approx(0.5 * design / 24)

    asyncio.run(scenario())


def test_a_changed_design_is_solved_anew_and_another_coolant_is_not(
    desk: PlateDesk, loops: dict[str, Any], tmp_path: Path
) -> None:
    design = tmp_path / "designs" / "plate.yaml"
    design.parent.mkdir()
    text = DESIGN.read_text()
    desk.cases.folder = tmp_path  # relative to the layout's folder
    feed = changed(loops, plate_spec="designs/plate.yaml")

    async def ask(number: int, kind: str) -> dict[str, Any]:
        desk.source.feed.snapshot = {"sequence": 2, "time": 0.0, "loops": feed}
        end = time.monotonic() + 60  # a first solve compiles
        while True:
            header, _ = decode_frame(await desk.frame_after("B01", number))
            if kind in {header["type"], header.get("plate")}:
                assert str(tmp_path) not in json.dumps(header)
                return header
            assert time.monotonic() < end, header
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        assert "cannot be read" in (await ask(-1, "fault"))["message"]
        design.write_text(text)
        assert (await ask(-1, "field"))["operating"]["plates"] == 24
        design.write_text(text.replace("plates: 24", "plates: 20"))
        os.utime(design, (1.0, 1.0))  # a change shows even where the clock is coarse
        assert (await ask(0, "field"))["operating"]["plates"] == 20
        design.write_text(text.replace("fluid: pg25", "fluid: water"))
        os.utime(design, (2.0, 2.0))
        told = (await ask(1, "fault"))["message"]
        assert "designed for water, the loop carries PG25" in told
        design.write_text(text)
        os.utime(design, (2.5, 2.5))
        feed["L1"]["branches"]["B01"]["liquid_heat_w"] *= 60  # and the chips as they were: a meter that errs
        while "designed" in (boils := await ask(1, "fault"))["message"]:
            pass
        assert "does not cover what the branch does now" in boils["message"]
        design.write_text(text.replace("plates: 24", "plates: many"))
        os.utime(design, (3.0, 3.0))
        while "cover" in (faulty := await ask(1, "fault"))["message"]:
            pass
        assert "log" in faulty["message"]

    asyncio.run(scenario())


def test_a_design_is_read_again_when_one_of_its_maps_changes(tmp_path: Path) -> None:
    text = DESIGN.read_text().replace("power: 500, limit: 85}", "map: die.csv, limit: 85}", 1)
    (tmp_path / "plate.yaml").write_text(text)
    table = tmp_path / "die.csv"
    table.write_text("100, 100\n100, 200\n")
    cases = PlateCases(tmp_path)
    first = cases.read("plate.yaml")
    assert cases.read("plate.yaml") is first
    assert first.stamp == cases.stamp("plate.yaml")
    assert [Path(file).name for file, _ in first.stamp] == ["plate.yaml", "die.csv"]
    table.write_text("200, 200\n200, 400\n")
    os.utime(table, (1.0, 1.0))
    assert cases.read("plate.yaml").case.heat == pytest.approx(first.case.heat + 500.0)  # W in the table
