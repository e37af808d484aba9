"""The report in a real browser: it fits, it draws, it sorts, it has a dark side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from result_factory import make, make_book, make_words

from reports.render import html

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
SIZES = [(1280, 900), (390, 844)]


def missing(what: str) -> None:
    """Skip, unless a browser is asked for."""
    if os.environ.get("BOOKBENCH_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what}, and BOOKBENCH_REQUIRE_BROWSER=1 asks for a browser")
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing("chromium and chromedriver are not on the path")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing("selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    evil = "<script>document.title = 'broken in'</script> " + "unbroken" * 40
    path.write_text(html([make(), make_words(), make("20260203-111213", evil=evil), make_book()]), encoding="utf-8")
    return path.as_uri()


def visit(browser: Any, address: str, size: tuple[int, int] = SIZES[0], theme: str = "light") -> None:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def background(browser: Any) -> Any:
    return browser.execute_script("return getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("size", SIZES)
def test_the_page_never_scrolls_sideways(browser: Any, address: str, size: tuple[int, int]) -> None:
    visit(browser, address, size)
    inner, client, scroll = browser.execute_script(
        "const e = document.documentElement; return [window.innerWidth, e.clientWidth, e.scrollWidth]"
    )
    assert inner == size[0]  # on a phone, an overflow would widen the layout
    assert scroll == client <= inner


def test_the_console_stays_empty_and_nothing_is_fetched(browser: Any, address: str) -> None:
    browser.get_log("browser")
    visit(browser, address)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.title.startswith("Bookbench report")


@pytest.mark.parametrize("size", SIZES)
def test_charts_are_drawn_and_fit(browser: Any, address: str, size: tuple[int, int]) -> None:
    visit(browser, address, size)
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect())"
        ".map(b => [b.left, b.right, b.height])"
    )
    assert len(boxes) > 20
    for left, right, height in boxes:
        assert 0 <= left < right <= size[0]
        assert right - left > 250 and height > 80
    inks = browser.execute_script(
        "return [...document.querySelectorAll('svg text')].map(t => getComputedStyle(t).fill)"
    )
    assert len(set(inks)) == 2  # ink and muted, both resolved from the page's variables
    assert "rgb(0, 0, 0)" not in inks


def test_sorting(browser: Any, address: str) -> None:
    visit(browser, address)
    table = "document.querySelector('table.summary')"
    order = f"return [...{table}.tBodies[0].rows].map(r => Number(r.cells[1].dataset.sort))"
    click = f"{table}.tHead.rows[0].cells[1].querySelector('button').click()"
    before = browser.execute_script(order)
    assert len(before) > 2
    browser.execute_script(click)
    assert browser.execute_script(order) == sorted(before)
    browser.execute_script(click)
    assert browser.execute_script(order) == sorted(before, reverse=True)
    heading = f"return {table}.querySelector('[aria-sort]').getAttribute('aria-sort')"
    assert browser.execute_script(heading) == "descending"
    unmeasured = f"return {table}.tBodies[1].rows.length"
    assert browser.execute_script(unmeasured) == 1


def test_dark_follows_the_system_and_the_button(browser: Any, address: str) -> None:
    visit(browser, address, theme="light")
    browser.execute_script("localStorage.clear()")
    visit(browser, address, theme="light")
    light = background(browser)
    visit(browser, address, theme="dark")
    dark = background(browser)
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    browser.find_element("id", "theme").click()
    assert background(browser) == light
    browser.find_element("id", "theme").click()
    assert background(browser) == dark
    browser.execute_script("localStorage.clear()")


def test_the_page_is_whole_without_scripts(browser: Any, address: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert not browser.find_element("id", "theme").is_displayed()
        assert browser.find_element("css selector", "table.summary").is_displayed()
        browser.find_element("css selector", "details summary").click()
        assert browser.find_element("css selector", "details[open] svg").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_printing_gives_pages(browser: Any, address: str, tmp_path: Path) -> None:
    visit(browser, address, theme="dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    assert len(printed["data"]) > 50_000
