"""The coolant page in a real browser: the model's own loop, the real solver of plates."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from matplotlib import image as pictures
from playwright.sync_api import Page, expect

Site = Any  # conftest.Site: test modules cannot import each other
Visit = Any

pytestmark = pytest.mark.browser

LAYOUT = Path(__file__).parents[2] / "layouts" / "liquid_row.yaml"
LOOKS = [((1280, 760), "dark"), ((1920, 1080), "light")]
BLOCKS = (".topbar", "#loop-panel", "#branch-panel", "#plate-panel", ".statusbar")
TEXTS = (
    ".loop-figure dt, .loop-figure dd, .loop-note, .fact dt, .fact dd, .stat, .badge, .nav-link, .pill, "
    ".panel-head, .segmented button, .segment, .chart-legend, .plate-caption, .plate-note, .legends, h1, h2"
)
SOLVED = "window.rackletViewer?.coolant.plate.stats.painted > 0"
FIRST_SOLVE = 60_000  # ms; it compiles


@pytest.fixture(scope="module")
def loop_site(site_maker: Callable[[], Site]) -> Iterator[Site]:
    """A site whose twin runs the loops of the liquid row; tests leave it without faults."""
    made = site_maker()
    made.start_twin("--rate", "4", "--history", "30", "--loops", str(LAYOUT))
    yield made
    made.close()


def number(text: str) -> float:
    return float(text.replace("−", "-").split()[0])


def rung(page: Page, branch: str) -> Any:
    return page.locator(f'.rung[data-branch="{branch}"]')


def snapshot(site: Site) -> dict[str, Any]:
    return httpx.get(f"{site.url}/api/snapshot").json()["loops"]["L1"]


def picture(page: Page) -> np.ndarray:
    """Return the plate's pixels float[height, width, 3] in 0..1."""
    return pictures.imread(io.BytesIO(page.locator("#plate-canvas canvas").screenshot()))[:, :, :3]


def test_the_diagram_shows_the_twin_s_numbers_and_follows_them(
    loop_site: Site, visit: Callable[..., Visit]
) -> None:
    made = visit(loop_site, query="coolant")
    page = made.page
    expect(page.locator("#loop-title")).to_have_text("Loop L1")
    expect(page.locator('.nav-link[aria-current="page"]')).to_have_text("Coolant")
    expect(page.locator(".rung")).to_have_count(6)
    with loop_site.frozen():
        page.wait_for_timeout(400)
        loop = snapshot(loop_site)
        assert number(page.locator("#loop-heat").inner_text()) == pytest.approx(
            loop["heat_w"] / 1e3, abs=0.06
        )
        assert number(page.locator("#loop-supply").inner_text()) == pytest.approx(loop["supply_c"], abs=0.06)
        branch = loop["branches"]["B03"]
        spoken = rung(page, "B03").get_attribute("aria-label")
        assert f"{branch['chip_c']:.1f} of at most 75 degrees" in spoken
        assert f"flow {60_000 * branch['flow_m3_s']:.1f} litres a minute" in spoken
        drawn = rung(page, "B03").text_content()
        assert f"{branch['chip_c']:.1f} °C" in drawn
        assert f"{branch['return_c']:.1f} °C" in drawn
        assert "sensor" in drawn
        expect(page.locator("#loop-cdu")).to_contain_text(f"{100 * loop['level']:.1f} %")
        table = page.locator("#loop-table tbody tr")
        assert table.count() == 6
        assert table.nth(2).locator("td").nth(1).inner_text() == f"{60_000 * branch['flow_m3_s']:.1f}"
    built = page.evaluate("(window.firstRung = document.querySelector('.rung')) !== null")
    before = rung(page, "B01").text_content()
    page.wait_for_function("before => document.querySelector('.rung').textContent !== before", arg=before)
    assert built
    assert page.evaluate(
        "window.firstRung === document.querySelector('.rung')"
    )  # brought up to date, not rebuilt
    time.sleep(1)
    assert made.said == []


def test_a_pump_trip_shows_in_the_diagram(loop_site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(loop_site, query="coolant").page
    expect(page.locator("#loop-state")).to_have_text("Normal")
    faults = loop_site.state / "faults.json"
    faults.write_text(json.dumps({"drive": {"L1P1": False}, "valve": {"B05": 0.5}}))
    try:
        expect(page.locator("#loop-state")).to_have_text("Pump down", timeout=15_000)
        expect(page.locator("#loop-cdu")).to_contain_text("tripped", timeout=15_000)
        expect(page.locator("#loop-findings")).to_contain_text("L1P1")
        expect(rung(page, "B05")).to_contain_text("valve 50 %")
        expect(page.locator("#loop-pumps-note")).to_have_text("1 of 2 running")
        still = page.locator('#loop-cdu .pipe-flow[data-flow="none"]')
        expect(still).to_have_count(1)  # the tripped pump's own pipe, behind its check valve
    finally:
        faults.unlink()
    expect(page.locator("#loop-state")).to_have_text("Normal", timeout=15_000)


def test_a_slow_pump_is_not_called_running(loop_site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(loop_site, query="coolant").page
    expect(page.locator("#loop-pumps-note")).to_have_text("2 of 2 running")
    faults = loop_site.state / "faults.json"
    faults.write_text(json.dumps({"speed": {"L1P1": 0.7}}))
    try:
        expect(page.locator("#loop-cdu")).to_contain_text(re.compile("L1P1(slowing|slow)"), timeout=15_000)
        expect(page.locator("#loop-pumps-note")).to_have_text("1 of 2 running")
        expect(page.locator("#loop-state")).to_have_text(re.compile("Pump slow"))
    finally:
        faults.unlink()
    expect(page.locator("#loop-state")).to_have_text("Normal", timeout=30_000)


def test_a_selected_branch_shows_its_history_and_its_plate(
    loop_site: Site, visit: Callable[..., Visit]
) -> None:
    made = visit(loop_site, query="coolant")
    page = made.page
    rung(page, "B04").click()
    expect(page.locator("#branch-title")).to_have_text("Branch B04")
    expect(rung(page, "B04")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#branch-chart .scatterlayer .trace")).to_have_count(6)
    assert page.locator("#branch-facts .fact").count() == 8
    page.wait_for_function(SOLVED, timeout=FIRST_SOLVE)
    expect(page.locator("#plate-title")).to_have_text("Cold plate of B04")
    expect(page.locator("#plate-waiting")).to_be_hidden()
    expect(page.locator("#plate-state")).to_contain_text("One of 24 plates")
    pixels = picture(page)
    assert np.unique((pixels.reshape(-1, 3) * 32).astype(int), axis=0).shape[0] > 60  # an empty stage has few
    warm = (pixels[:, :, 0] > 0.8) & (pixels[:, :, 2] < 0.5)
    assert warm.mean() > 0.02  # the dies
    page.get_by_role("button", name="Section").click()
    page.wait_for_timeout(300)
    assert np.abs(picture(page) - pixels).mean() > 0.02
    page.get_by_label("Cut X, millimetres").fill("30")
    page.wait_for_timeout(300)
    box = page.locator("#plate-canvas").bounding_box()
    place = page.evaluate(DIE_B)
    page.mouse.move(box["x"] + place["x"], box["y"] + place["y"])
    tip = page.locator("#plate-canvas .tip")
    expect(tip).to_be_visible()
    x, y, z = tip.get_attribute("data-point").split(",")
    answer = httpx.get(f"{loop_site.url}/api/plates/B04/probe", params={"x": x, "y": y, "z": z}).json()
    assert 30.0 < answer["temperature_c"] < 90.0
    assert f"{float(tip.get_attribute('data-value')):.2f} °C" in tip.inner_text()
    assert made.said == []


def test_a_plate_goes_with_its_flow_and_comes_back(loop_site: Site, visit: Callable[..., Visit]) -> None:
    made = visit(loop_site, query="coolant")
    page = made.page
    rung(page, "B02").click()
    page.wait_for_function(SOLVED, timeout=FIRST_SOLVE)
    faults = loop_site.state / "faults.json"
    faults.write_text(json.dumps({"drive": {"L1P1": False, "L1P2": False}}))
    try:
        expect(page.locator("#plate-waiting-title")).to_have_text("No steady plate now", timeout=15_000)
        expect(page.locator("#plate-dock")).to_be_hidden()
        expect(page.locator("#plate-state")).to_be_empty()
        expect(page.locator("#plate-numbers")).to_be_empty()
        expect(page.locator("#plate-canvas .label")).to_have_count(0)
        page.evaluate("rackletViewer.coolant.plate.cut(0, 30)")  # nothing to cut
        expect(page.locator("#loop-state")).not_to_have_text("Normal")
    finally:
        faults.unlink()
    expect(page.locator("#plate-waiting")).to_be_hidden(timeout=90_000)  # the chips cool down first
    expect(page.locator("#plate-state")).to_contain_text("One of 24 plates")
    assert made.said == []


def test_the_page_asks_again_after_a_refusal(loop_site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(loop_site, query="coolant").page
    refused = page.context
    refused.route("**/api/plates/**", lambda route: route.fulfill(status=404, json={"detail": "none there"}))
    rung(page, "B06").click()
    expect(page.locator("#plate-waiting-text")).to_have_text("none there")
    refused.unroute("**/api/plates/**")
    expect(page.locator("#plate-state")).to_contain_text("One of 24 plates", timeout=FIRST_SOLVE)
    expect(page.locator("#plate-note")).to_contain_text("mean chip of the loop's model")


def test_the_plate_outlives_a_broken_frame_and_lost_graphics(
    loop_site: Site, visit: Callable[..., Visit]
) -> None:
    page = visit(loop_site, query="coolant").page
    page.context.route("**/api/plates/**", lambda route: route.fulfill(body=b"\x00\x00\x00\x05nonsense"))
    rung(page, "B06").click()
    expect(page.locator("#plate-waiting-text")).to_contain_text("could not be shown")
    page.context.unroute("**/api/plates/**")
    page.wait_for_function(SOLVED, timeout=FIRST_SOLVE)
    expect(page.locator("#plate-waiting")).to_be_hidden()
    page.evaluate(
        "window.lose = rackletViewer.coolant.plate.stage.renderer.getContext()"
        ".getExtension('WEBGL_lose_context'); lose.loseContext()"
    )
    expect(page.locator("#plate-waiting-title")).to_have_text("The 3-D picture is lost")
    expect(page.locator("#plate-state")).to_contain_text("One of 24 plates")  # the numbers stay
    painted = page.evaluate("rackletViewer.coolant.plate.stats.painted")
    page.evaluate("lose.restoreContext()")
    page.wait_for_function(
        "before => rackletViewer.coolant.plate.stats.painted > before", arg=painted, timeout=FIRST_SOLVE
    )
    expect(page.locator("#plate-waiting")).to_be_hidden()
    warm = picture(page)
    assert ((warm[:, :, 0] > 0.8) & (warm[:, :, 2] < 0.5)).mean() > 0.02  # the dies are back


DIE_B = """() => {  // a place on it behind the cut
  const { plate } = rackletViewer.coolant;
  const { lo, hi } = plate.data.boxes.find((box) => box.name === "die_b");
  return plate.stage.project(plate.toScene([(lo[0] + hi[0]) / 2, (lo[1] + 3 * hi[1]) / 4, lo[2]]));
}"""


def test_keys_walk_along_the_header(loop_site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(loop_site, query="coolant").page
    rung(page, "B02").click()
    rung(page, "B02").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#branch-title")).to_have_text("Branch B03")
    page.keyboard.press("End")
    expect(page.locator("#branch-title")).to_have_text("Branch B06")
    assert page.evaluate("document.activeElement.dataset.branch") == "B06"
    page.get_by_role("button", name="Table").click()
    expect(page.locator("#loop-diagram")).to_be_hidden()
    expect(page.get_by_role("row", name="B06")).to_be_visible()


def test_pages_change_without_loading_anew(loop_site: Site, visit: Callable[..., Visit]) -> None:
    made = visit(loop_site, query="coolant")
    page = made.page
    expect(page.locator("#loop-title")).to_have_text("Loop L1")
    page.evaluate("window.kept = true")
    page.get_by_role("link", name="Live").click()
    page.wait_for_function("window.rackletViewer.stats.painted > 0")
    assert page.evaluate("location.pathname") == "/"
    expect(page.locator("#viewer")).to_be_visible()
    expect(page.locator("#loop-panel")).to_be_hidden()
    page.go_back()
    expect(page.locator("#loop-panel")).to_be_visible()
    assert page.evaluate("window.kept") is True


def test_reduced_motion_is_respected(loop_site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(loop_site, query="coolant").page
    expect(page.locator(".rung")).to_have_count(6)
    moving = "getComputedStyle(document.querySelector('.rung .pipe-flow')).animationName"
    assert page.evaluate(moving) == "coolant-flows"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "none"


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_nothing_overlaps_or_is_clipped(
    loop_site: Site, visit: Callable[..., Visit], size: tuple[int, int], theme: str
) -> None:
    page = visit(loop_site, size, theme, query="coolant").page
    page.wait_for_function(SOLVED, timeout=FIRST_SOLVE)
    boxes = [(name, page.locator(name).bounding_box()) for name in BLOCKS]
    for i, (name, a) in enumerate(boxes):
        assert a["x"] >= 0, name
        assert a["x"] + a["width"] <= size[0], name
        assert a["y"] + a["height"] <= size[1], name
        for other, b in boxes[i + 1 :]:
            apart = (
                a["x"] + a["width"] <= b["x"]
                or b["x"] + b["width"] <= a["x"]
                or a["y"] + a["height"] <= b["y"]
                or b["y"] + b["height"] <= a["y"]
            )
            assert apart, f"{name} over {other}"
    clipped = page.evaluate(
        "selector => [...document.querySelectorAll(selector)].filter(e => e.offsetParent && "
        "(e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'))"
        ".map(e => `${e.className || e.tagName}: ${e.textContent} (${e.scrollWidth} > ${e.clientWidth})`)",
        TEXTS,
    )
    assert clipped == []
    covered = page.evaluate(TEXT_OVER_TEXT)
    assert covered == []


TEXT_OVER_TEXT = """() => {
  const texts = [...document.querySelectorAll(".piping text")].filter((e) => e.textContent.trim());
  const boxes = texts.map((e) => [e.textContent, e.getBoundingClientRect()]);
  const found = [];
  boxes.forEach(([name, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 4) found.push(`${name} | ${other}`);
  }));
  return found;
}"""


def test_a_dead_twin_is_seen_and_no_loops_are_said(
    site_maker: Callable[[], Site], visit: Callable[..., Visit]
) -> None:
    site = site_maker()
    try:
        page = visit(site, query="coolant").page
        expect(page.locator("#no-loops")).to_contain_text("Waiting for the twin")
        site.start_twin("--history", "5")
        expect(page.locator("#no-loops")).to_contain_text("no coolant loop", timeout=15_000)
        site.stop_twin()
        site.start_twin("--history", "5", "--loops", str(LAYOUT))
        expect(page.locator("#loop-title")).to_have_text("Loop L1", timeout=15_000)
        site.stop_twin()
        expect(page.locator("#loop-state")).to_have_text("Stale: last picture", timeout=8000)
        expect(page.locator("#badge-text")).to_have_text("STALE")
        expect(page.locator("#notice")).to_contain_text("gone")
        assert page.evaluate(
            "getComputedStyle(document.querySelector('.rung .pipe-flow')).animationPlayState"
        ) == "paused"  # fmt: skip
    finally:
        site.close()
