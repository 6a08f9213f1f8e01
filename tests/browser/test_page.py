"""The page in a real browser, on a stand-in twin."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from matplotlib import image as pictures
from playwright.sync_api import Page, WebSocketRoute, expect

Site = Any  # conftest.Site: test modules cannot import each other
Visit = Any

pytestmark = pytest.mark.browser

SIZES = [(1280, 760), (1920, 1080)]
BLOCKS = (".topbar", ".kpi", "#racks-panel", "#viewer", "#rack-panel", "#decisions-panel", ".statusbar")
TEXTS = (
    ".kpi-label, .kpi-value, .kpi-note, .fact dt, .fact dd, .stat, .badge, .chip, .segmented button, "
    ".segment, .legend, .band, .row-name, .row-inlet, .row-power, .slice output, .panel-head, "
    ".cooler-list li, .pill, .decision-what, .chart-legend, .chart-head, .statusbar, h1, h2"
)


def picture(page: Page) -> np.ndarray:
    """Return the 3-D view's pixels float[height, width, 3] in 0..1."""
    return pictures.imread(io.BytesIO(page.locator("#viewer-canvas").screenshot()))[:, :, :3]


def number(page: Page, selector: str) -> float:
    """Return a number as the page writes it."""
    return float(page.locator(selector).inner_text().replace("−", "-"))


def test_page_comes_alive_and_says_nothing_in_the_console(site: Site, visit: Callable[..., Visit]) -> None:
    made = visit(site)
    page = made.painted()
    expect(page.locator("#badge-text")).to_have_text("LIVE")
    expect(page.locator("#layout-name")).to_have_text("pod_two_row")
    expect(page.locator("#stat-agents")).to_have_text("12/12")
    snapshot = httpx.get(f"{site.url}/api/snapshot").json()
    assert number(page, "#kpi-it-value") == pytest.approx(snapshot["kpis"]["it_kw"], rel=0.05)  # it moves on
    assert number(page, "#kpi-inlet-value") == pytest.approx(snapshot["kpis"]["max_inlet_c"], abs=2.0)
    assert page.locator(".row").count() == 12
    expect(page.locator("#rack-chart .scatterlayer .trace")).to_have_count(6)
    time.sleep(2)
    assert made.said == []
    hosts = {urlsplit(url).netloc for url in made.asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(site.url).netloc}


def test_field_is_painted_in_colour_and_at_2_hz(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    pixels = picture(page)
    colours = np.unique((pixels.reshape(-1, 3) * 32).astype(int), axis=0)
    assert len(colours) > 100  # an empty stage has a handful
    warm = (pixels[:, :, 0] > 0.8) & (pixels[:, :, 1] > 0.5) & (pixels[:, :, 2] < 0.45)
    assert warm.mean() > 0.003  # the plumes behind the hot racks
    start, before = time.monotonic(), page.evaluate("rackletViewer.stats.painted")
    time.sleep(5)
    painted = page.evaluate("rackletViewer.stats.painted") - before
    assert painted / (time.monotonic() - start) >= 2.0
    assert page.evaluate("rackletViewer.stats.bytes") < 100_000


def test_slice_slider_moves_the_picture(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    page.get_by_role("button", name="Top").click()
    with site.frozen():
        before, again = picture(page), picture(page)
        slider = page.get_by_label("Slice Z position, metres")
        slider.fill("3.4")
        page.wait_for_timeout(300)
        after = picture(page)
    assert np.abs(after - before).mean() > 5 * np.abs(again - before).mean() + 0.01
    expect(page.locator("#slice-Z-on")).to_be_checked()


def test_cold_aisle_view_stands_in_the_open(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    page.get_by_role("button", name="Cold aisle").click()
    page.wait_for_timeout(500)
    assert np.unique((picture(page).reshape(-1, 3) * 32).astype(int), axis=0).shape[0] > 100
    eye = page.evaluate("rackletViewer.viewer.stage.camera.position.toArray()")
    inside = page.evaluate(
        "eye => rackletViewer.viewer.sceneData.boxes.filter(b => b.kind !== 'floor' && "
        "eye.every((v, i) => v > b.lo[i] && v < b.hi[i])).map(b => b.name)",
        eye,
    )
    assert inside == []


def test_fronts_take_the_colours_of_their_class_s_limits(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    expect(page.locator("#band-recommended")).to_have_text("18–27")
    painted, legend = page.evaluate(
        """limits => {
          const { viewer, panels } = rackletViewer;
          const summary = structuredClone(viewer.summary);
          Object.assign(summary.racks.R12, { limits_c: limits, band: "over" });
          viewer.setSummary(summary);
          panels.showBands(Object.entries(summary.racks));
          const { zones } = viewer.room.racks.get("R12");
          return [zones.map(zone => zone.material.color.getHexString()),
            document.getElementById("band-recommended").textContent];
        }""",
        [5.0, 8.0, 10.0, 12.0],
    )
    assert painted == ["f0564a"] * 3
    assert legend == "recommended"


def test_racklets_are_drawn_in_their_racks(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    drawn = page.evaluate(
        "rackletViewer.viewer.room.targets.filter(t => t.userData.zone === 'racklet K01')"
        ".map(t => [t.userData.name, ...t.position.toArray()])"
    )
    assert [name for name, *_ in drawn] == ["R01", "R01"]
    assert [place[2] for _, *place in drawn] == pytest.approx([0.6 + 39 * 0.04445] * 2)
    assert sorted(place[1] for _, *place in drawn) == pytest.approx([1.488, 2.712])  # on its two faces


def test_a_failed_cooler_is_no_supply(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    expect(page.locator("#kpi-cooling-note")).to_have_text("2 coolers · supply 18.0 °C")
    note, row = page.evaluate(
        """() => {
          const summary = structuredClone(rackletViewer.viewer.summary);
          Object.assign(summary.coolers.C2, { air_flow: 0, supply_c: 41 });
          rackletViewer.panels.showSummary(summary);
          return [document.getElementById("kpi-cooling-note").textContent,
            document.querySelectorAll(".cooler-list li")[1].children[1].textContent];
        }"""
    )
    assert note == "1 of 2 coolers · supply 18.0 °C"
    assert row == "off"


def test_a_broken_frame_does_not_end_the_stream(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    broken: list[bool] = []

    def carry(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            socket.send(message if broken else b"\0\0\0\4rubbish")
            broken.append(True)

        server.on_message(pass_on)

    page.route_web_socket("**/ws/field", carry)
    page.reload()
    page.wait_for_function("window.rackletViewer?.stats.painted > 1")
    assert len(broken) > 2


def test_a_half_open_connection_is_given_up(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    sockets: list[WebSocketRoute] = []

    def carry(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) > 1:  # the first one opens, and never says a word
            socket.connect_to_server()

    page.route_web_socket("**/ws/field", carry)
    page.reload()
    page.wait_for_function("window.rackletViewer?.stats.painted > 0", timeout=20_000)
    assert len(sockets) == 2


def test_isosurface_appears(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    with site.frozen():
        before = picture(page)
        page.get_by_label("32 °C surface").check()
        page.wait_for_timeout(300)
        assert page.evaluate("rackletViewer.stats.triangles") > 100
        assert np.abs(picture(page) - before).mean() > 0.002


def test_hover_shows_the_server_s_number(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    page.get_by_role("button", name="Top").click()
    box = page.locator("#viewer-canvas").bounding_box()
    assert box is not None
    with site.frozen():
        for across, down in ((0.5, 0.5), (0.5, 0.2), (0.2, 0.3)):
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            tip = page.locator(".tip")
            expect(tip).to_be_visible()
            page.wait_for_timeout(400)
            x, y, z = tip.get_attribute("data-point").split(",")
            answer = httpx.get(f"{site.url}/api/probe", params={"x": x, "y": y, "z": z}).json()
            assert float(tip.get_attribute("data-value")) == answer["temperature_c"]
            assert f"{answer['temperature_c']:.2f} °C" in tip.inner_text()
            assert float(z) == pytest.approx(1.8, abs=0.02)  # the slice, not the floor beneath
    page.mouse.move(2, 2)
    expect(page.locator(".tip")).to_be_hidden()


def test_click_in_the_picture_or_the_list_selects_a_rack(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    page.get_by_role("button", name="Top").click()
    place = page.evaluate(
        "rackletViewer.viewer.stage.project(rackletViewer.viewer.room.anchors.find(a => a.name === 'R11').at)"
    )
    box = page.locator("#viewer-canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + place["x"], box["y"] + place["y"] + 12)
    expect(page.locator("#rack-title")).to_have_text("Rack R11")
    page.locator('.row[data-rack="R04"]').click()
    expect(page.locator("#rack-title")).to_have_text("Rack R04")
    expect(page.locator('.row[data-rack="R04"]')).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rack-title")).not_to_have_text("Rack R04")
    expect(page.locator("#rack-chart .scatterlayer .trace")).to_have_count(6)
    assert page.locator("#rack-facts .fact").count() == 9


def test_theme_is_switched_and_remembered(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    dark = picture(page).mean()
    page.locator("#theme-toggle").click()
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert picture(page).mean() > dark + 0.15
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_overlaps_or_is_clipped(
    site: Site, visit: Callable[..., Visit], size: tuple[int, int], theme: str
) -> None:
    page = visit(site, size, theme).painted()
    expect(page.locator("#rack-chart .scatterlayer .trace")).to_have_count(6)
    boxes: list[tuple[str, Any]] = []
    for selector in BLOCKS:
        boxes += [(selector, locator.bounding_box()) for locator in page.locator(selector).all()]
    assert len(boxes) == 11
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
    assert page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    ) == list(size)


def test_contrast_of_text_meets_aa(site: Site, visit: Callable[..., Visit]) -> None:
    for theme in ("dark", "light"):
        page = visit(site, theme=theme).painted()
        for ink in ("--ink", "--muted", "--allowable", "--over", "--recommended", "--accent"):
            ratio = page.evaluate(CONTRAST, [ink, "--surface"])
            assert ratio >= 4.5, f"{ink} on the {theme} surface: {ratio:.2f}"


CONTRAST = """([ink, ground]) => {
  const light = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    probe.remove();
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const [a, b] = [light(ink), light(ground)].sort((p, q) => q - p);
  return (a + 0.05) / (b + 0.05);
}"""


def test_badge_goes_stale_and_comes_back(new_site: Callable[[], Site], visit: Callable[..., Visit]) -> None:
    site = new_site()
    made = visit(site)
    page = made.page
    expect(page.locator("#badge-text")).to_have_text("STARTING")
    expect(page.locator("#waiting")).to_contain_text("Waiting for the twin")
    assert site.health()[0] == 503
    site.start_twin("--history", "5")
    made.painted()
    expect(page.locator("#badge-text")).to_have_text("LIVE")
    expect(page.locator("#waiting")).to_be_hidden()
    site.stop_twin()
    expect(page.locator("#badge-text")).to_have_text("STALE", timeout=8000)
    expect(page.locator("#notice")).to_contain_text("gone")
    code, body = site.health()
    assert (code, body["status"]) == (503, "stale")
    site.start_twin("--history", "5", "--degraded", "coarser grid: 0.30 m")
    expect(page.locator("#badge-text")).to_have_text("DEGRADED", timeout=8000)
    expect(page.locator("#notice")).to_contain_text("coarser grid: 0.30 m")
    assert site.health()[0] == 200
    assert made.said == []


def test_a_proposal_is_opened_and_approved(new_site: Callable[[], Site], visit: Callable[..., Visit]) -> None:
    site = new_site()
    site.start_twin("--history", "5")
    page = visit(site).painted()
    first = page.locator(".decision").first
    expect(first.locator(".pill")).to_have_text("Proposed")
    first.locator("summary").click()
    expect(first).to_contain_text("3 tried in the twin")
    first.get_by_role("button", name="Approve").click()
    expect(first.locator(".pill")).to_have_text("Approved")
    expect(page.locator("#decision-answer")).to_have_text("Approved.")
    expect(first.get_by_role("button")).to_have_count(0)
    assert httpx.get(f"{site.url}/api/decisions").json()[0]["state"] == "approved"


def test_without_webgl2_plotly_draws_the_room(site: Site, visit: Callable[..., Visit]) -> None:
    made = visit(site, query="?webgl=off")
    page = made.page
    page.wait_for_function("document.querySelector('#fallback-figure .js-plotly-plot')?.data?.length > 20")
    assert page.evaluate("rackletViewer.stats.mode") in {"plotly", "plan"}
    expect(page.locator(".fallback-note")).to_be_visible()
    expect(page.locator("#badge-text")).to_have_text("LIVE")
    assert page.locator(".row").count() == 12


def test_nothing_is_drawn_while_nothing_changes(site: Site, visit: Callable[..., Visit]) -> None:
    page = visit(site).painted()
    with site.frozen():
        page.wait_for_timeout(700)
        before = page.evaluate("rackletViewer.stats.frames")
        page.wait_for_timeout(1300)  # before the page turns stale and makes room for the notice
        assert (
            page.evaluate("rackletViewer.stats.frames") <= before + 3
        )  # on their way; a busy loop draws dozens
    page.wait_for_function(f"rackletViewer.stats.frames > {before}")
