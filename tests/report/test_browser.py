"""The page in a real Chromium, without a network: it draws, its numbers are right, and they follow the filters."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aioflows import FlowInstance, FlowStatus
from aioflows.report import Bounds, Tally
from aioflows.report.page import page as html
from tests.support.report_cases import FAILED, HOSTILE, START, ZONE, Figures, counted, day, facts, name, rows

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 60_000  # milliseconds; a slow machine is no fault of the page
DRAWN = "body[data-drawn]:not([data-drawn=''])"
SOME = rows(600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET), timeout=PATIENCE)
        yield chromium
        chromium.close()


Opened = tuple[Any, list[str]]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def open(some: list[FlowInstance], **looks: Any) -> Opened:
        tally, file, faults = Tally(ZONE), tmp_path / "report.html", []
        tally.add(some)
        file.write_text(html(tally, facts()), encoding="utf-8")
        context = browser.new_context(offline=True, **looks)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: _foreign(sent.url, file.as_uri(), faults))
        page.goto(file.as_uri())
        page.wait_for_selector(DRAWN)
        return page, faults

    yield open
    for context in contexts:
        context.close()


def _foreign(url: str, own: str, faults: list[str]) -> None:
    if url != own and not url.startswith(("data:", "blob:")):
        faults.append(f"asked for {url}")


def figure(page: Any, which: str) -> str:
    return str(page.text_content(f"#figure-{which}"))


def check(page: Any, figures: Figures) -> None:
    """Compare everything that is shown with what an outsider counts."""
    page.wait_for_selector(DRAWN)
    shown = {one: figure(page, one) for one in ("instances", "failed", "running", "flows", "success")}
    assert shown == {
        "instances": f"{figures.instances:,}",
        "failed": f"{figures.failed:,}",
        "running": f"{figures.running:,}",
        "flows": f"{figures.flows:,}",
        "success": f"{100 * figures.success / figures.finished:.1f} %" if figures.finished else "–",
    }
    charts = page.evaluate(
        "Object.fromEntries(['heat', 'time', 'length', 'slow'].map(id => [id, document.getElementById(id).data]))"
    )
    heat = charts["heat"][0]
    cells = {
        (heat["x"][column], hour): value
        for hour, line in enumerate(heat["z"])
        for column, value in enumerate(line)
        if value is not None
    }
    assert cells == {at: figures.failures[at] for at in figures.hours}
    assert sum(sum(trace["y"]) for trace in charts["time"]) == figures.failed
    assert sum(charts["length"][0]["y"]) == figures.ran
    table = page.eval_on_selector_all(
        "#by-day tbody tr", "all => all.map(tr => [...tr.cells].map(td => td.textContent))"
    )
    assert {line[0]: line[1] for line in table} == {
        when: f"{sum(n for (one, _), n in figures.hours.items() if one == when):,}"
        for when in [line[0] for line in table]
    }
    assert {line[0] for line in table} >= {one for one, _ in figures.hours}


def choose_flow(page: Any, text: str) -> None:
    page.fill("#flow", text)
    page.press("#flow", "Enter")


def fitting_runs(
    some: list[FlowInstance], when: str, fits: Callable[[FlowInstance], bool] = lambda _: True
) -> int:
    return sum(day(one) == when and fits(one) for one in some)


def test_it_draws_every_chart_with_the_right_numbers_and_without_a_complaint(
    opened: Callable[..., Opened],
) -> None:
    page, faults = opened(SOME)
    check(page, counted(SOME))
    for chart, marks in {
        "heat": ".heatmaplayer image",
        "time": ".barlayer .point path",
        "length": ".barlayer .point path",
        "slow": ".barlayer .point path",
        "runs": ".scatterlayer .points path",
    }.items():
        assert page.locator(f"#{chart} {marks}").count(), f"nothing is drawn in {chart}"
    assert page.locator("#runs .scatterlayer .points path").count() == fitting_runs(SOME, "2024-03-02")
    assert page.get_attribute("html", "lang") == "en"
    assert "complete and proven" in page.text_content("#origin")
    assert "UTC+08:00" in page.text_content("#range")
    assert faults == []


def test_every_number_follows_every_filter(opened: Callable[..., Opened]) -> None:
    page, faults = opened(SOME)
    page.select_option("#owner", label="ann")
    check(page, counted(SOME, lambda one: one.owner == "ann"))
    choose_flow(page, "plain (4)")
    check(page, counted(SOME, lambda one: one.flow_id == 4))
    page.select_option("#from", label="2024-02-29")
    page.select_option("#to", label="2024-03-01")

    def fits(one: FlowInstance) -> bool:
        return one.flow_id == 4 and "2024-02-29" <= day(one) <= "2024-03-01"

    check(page, counted(SOME, fits))
    page.get_by_label("TIMEOUT").focus()
    page.keyboard.press("Space")
    check(page, counted(SOME, lambda one: fits(one) and name(one) != "TIMEOUT"))
    page.select_option("#day", label="2024-02-28")
    page.wait_for_selector(DRAWN)
    left = fitting_runs(SOME, "2024-02-28", lambda one: one.flow_id == 4 and name(one) != "TIMEOUT")
    assert page.get_attribute("#runs", "data-runs") == str(left)
    for state in sorted({name(one) for one in SOME} - {"SUSPEND", "TIMEOUT"}):
        page.get_by_label(state, exact=True).uncheck()
    check(page, counted(SOME, lambda one: fits(one) and name(one) == "SUSPEND"))
    page.get_by_label("SUSPEND").uncheck()
    check(page, counted([]))
    assert page.is_visible("#nothing")
    page.click("#clear-filters")
    check(page, counted(SOME))
    assert faults == []


def test_the_heat_map_shows_instances_and_shares_too(opened: Callable[..., Opened]) -> None:
    page, faults = opened(SOME)
    figures = counted(SOME)
    page.select_option("#measure", "instances")
    page.wait_for_selector(DRAWN)
    values = page.evaluate("document.getElementById('heat').data[0].z.flat().filter(one => one !== null)")
    assert sorted(values) == sorted(figures.hours.values())
    page.select_option("#measure", "share")
    page.wait_for_selector(DRAWN)
    values = page.evaluate("document.getElementById('heat').data[0].z.flat().filter(one => one !== null)")
    assert sorted(values) == pytest.approx(
        sorted(100 * figures.failures[at] / n for at, n in figures.finishes.items())
    )
    assert faults == []


def test_the_timeline_shows_the_runs_of_the_day_that_is_chosen_at_the_service_s_hours(
    opened: Callable[..., Opened],
) -> None:
    page, faults = opened(SOME)
    page.select_option("#day", label="2024-02-29")
    page.wait_for_selector(DRAWN)
    assert page.get_attribute("#runs", "data-runs") == str(fitting_runs(SOME, "2024-02-29"))
    begun = page.evaluate(
        "document.getElementById('runs').data.filter(one => one.mode === 'markers').flatMap(one => one.x)"
    )
    expected = [
        (one.start_time or one.trigger_time).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S.000Z")  # type: ignore[union-attr]
        for one in SOME
        if day(one) == "2024-02-29"
    ]
    assert sorted(begun) == sorted(expected)
    assert faults == []


def test_hostile_names_are_text(opened: Callable[..., Opened]) -> None:
    page, faults = opened(SOME)
    assert page.title().startswith("Flow instances, 2024-02-28 00:00 to")
    assert page.locator("main img, main b, main a[href^='javascript'], main svg a").count() == 0
    listed = page.eval_on_selector_all("#by-flow tbody th", "all => all.map(one => one.textContent)")
    for number in (0, 1, 2, 4):
        assert f"{HOSTILE[number]} ({number})" in listed
    ticks = page.eval_on_selector_all("#slow .ytick text", "all => all.map(one => one.textContent)")
    assert any(tick.startswith("<b>bold</b> & <a") for tick in ticks), ticks
    assert faults == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_instance_have_a_page_too(opened: Callable[..., Opened], count: int) -> None:
    some = [
        FlowInstance(
            "a",
            flow_name="f",
            status=FlowStatus.FAIL,
            trigger_time=START,
            start_time=START,
            end_time=START + timedelta(seconds=1),
        )
    ][:count]
    page, faults = opened(some)
    check(page, counted(some))
    assert page.is_visible("#nothing") is (count == 0)
    assert {name(one) for one in some} <= FAILED
    assert faults == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 1300), ("dark", 360)])
def test_it_is_legible_in_either_scheme_and_fits_the_screen(
    opened: Callable[..., Opened], scheme: str, width: int
) -> None:
    page, faults = opened(SOME, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    light = page.evaluate(
        """[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor,
            getComputedStyle(document.querySelector('#time .xtick text')).fill]
           .map(one => one.match(/[0-9]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765)"""
    )
    for ink in (light[0], light[2]):
        assert abs(ink - light[1]) > 0.6
    assert (light[1] < 0.3) is (scheme == "dark")
    assert faults == []


def test_days_without_instances_are_gaps_that_are_named(opened: Callable[..., Opened]) -> None:
    some = [one for one in rows(600, days=20) if not "2024-03-05" <= day(one) <= "2024-03-07"]
    page, faults = opened(some)
    assert "No instances on 3 of 20 days: 2024-03-05 to 2024-03-07." in page.text_content("#heat-note")
    for chart in ("heat", "time"):
        shaded = page.evaluate(f"document.getElementById('{chart}').layout.shapes.length")
        assert (chart, shaded) == (chart, 1)
        assert page.locator(f"#{chart} .annotation-text", has_text="no instances").count() == 1
    days = page.evaluate("document.getElementById('heat').data[0].x")
    assert days[6:10] == ["2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"]
    assert faults == []


def test_axes_of_counts_have_whole_numbers(opened: Callable[..., Opened]) -> None:
    page, _ = opened(SOME[:7])
    for chart in ("time", "length", "queue"):
        ticks = page.eval_on_selector_all(f"#{chart} .ytick text", "all => all.map(one => one.textContent)")
        assert ticks == [f"{int(tick)}" for tick in ticks], chart


def test_failed_instances_are_listed_with_their_ids(opened: Callable[..., Opened]) -> None:
    page, _ = opened(SOME)
    failed = sorted((one for one in SOME if name(one) in FAILED), key=_newest, reverse=True)
    shown = page.eval_on_selector_all("#failures tbody th", "all => all.map(one => one.textContent)")
    assert shown == [one.instance_id for one in failed[: len(shown)]]
    assert len(shown) == 15
    page.select_option("#owner", label="ann")
    page.wait_for_selector(DRAWN)
    mine = sum(one.owner == "ann" for one in failed)
    assert f"15 of {mine}" in page.text_content("#failures caption")


def _newest(instance: FlowInstance) -> tuple[datetime, str]:
    assert instance.trigger_time is not None
    return instance.trigger_time, instance.instance_id


def test_a_table_is_sorted_and_copied_as_a_whole(opened: Callable[..., Opened]) -> None:
    page, faults = opened(rows(600, flows=40), permissions=["clipboard-read", "clipboard-write"])
    page.click("#by-flow thead button:text-is('instances')")
    assert page.get_attribute("#by-flow thead th:nth-child(2)", "aria-sort") == "descending"
    page.click("#by-flow caption button")
    page.wait_for_selector("#by-flow caption button:text-matches('Copied')")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].startswith("flow,instances,failures,failed of finished")
    instances = [int(line[1].replace(",", "")) for line in csv.reader(lines[1:])]
    assert len(instances) == 40
    assert instances == sorted(instances, reverse=True)
    assert sum(instances) == 600
    assert faults == []


def test_failed_instances_of_flows_that_are_combined_are_listed_with_them(
    browser: Any, tmp_path: Path
) -> None:
    some = rows(3_000, days=900, flows=60)
    tally, file = Tally(ZONE, bounds=Bounds(cells=3_000)), tmp_path / "report.html"
    tally.add(some)
    assert tally.folded
    file.write_text(html(tally, facts()), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri() + "#flow=other+flows")
    page.wait_for_selector(DRAWN)
    failed = int(figure(page, "failed").replace(",", ""))
    assert failed
    assert page.text_content("#failures caption span") == f"Failed instances, newest first, 15 of {failed:,}"
    page.close()


def test_a_link_shows_what_its_sender_had_chosen(opened: Callable[..., Opened]) -> None:
    page, faults = opened(SOME)
    page.select_option("#owner", label="ann")
    choose_flow(page, "plain")
    page.get_by_label("TIMEOUT").uncheck()
    fits = counted(SOME, lambda one: one.owner == "ann" and one.flow_id == 4 and name(one) != "TIMEOUT")
    check(page, fits)
    page.goto("about:blank")
    page.go_back()
    page.wait_for_selector(DRAWN)
    assert page.input_value("#flow") == "plain"
    check(page, fits)
    assert faults == []
