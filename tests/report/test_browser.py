"""The file in a real browser: sorting, filtering, cases, keyboard, widths, colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.registry import discover
from bench.report import write_report
from tests.report.chromium import Chromium, Page
from tests.report.conftest import volumes

HEADS = "document.querySelectorAll('.board table')[0]"
ROWS = f"[...{HEADS}.tBodies[0].rows]"
SHOWN = f"{ROWS}.filter(r => !r.hidden).map(r => r.cells[0].textContent)"


@pytest.fixture(scope="module")
def address(results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    cards = {n: f.card for n, f in discover().methods.items() if f.card is not None}
    write_report(results, out, cards=cards, volumes=volumes)
    return out.as_uri()


def drawn(page: Page) -> None:
    page.until("document.querySelector('canvas').dataset.drawn === 'yes'")


def test_it_asks_for_nothing_and_nothing_goes_wrong(chromium: Chromium, address: str) -> None:
    page = chromium.page(address)
    drawn(page)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.until("[...document.images].every(i => i.complete)")
    assert page.run("[...document.images].every(i => i.naturalWidth > 0)")
    assert page.run("document.images.length") >= 4
    assert list(page.requested()) == [address]
    assert page.complaints() == []


def test_the_policy_stops_a_strangers_script(chromium: Chromium, address: str) -> None:
    page = chromium.page(address)
    page.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
        "document.body.append(s); document.body.insertAdjacentHTML('beforeend',"
        "'<img src=x onerror=\"window.bad = 2\">'); })()"
    )
    assert page.run("window.bad === undefined")
    assert any("Content Security Policy" in line for line in page.complaints())


def test_a_click_sorts_and_another_turns_it_round(chromium: Chromium, address: str) -> None:
    page = chromium.page(address)
    values = f"{ROWS}.map(r => r.cells[2].dataset.v)"
    head = f"{HEADS}.tHead.rows[0].cells[2]"
    page.run(f"{head}.querySelector('button').click()")
    up = page.run(values)
    numbers = [float(value) for value in up if value]
    assert numbers == sorted(numbers)
    assert page.run(f"{head}.getAttribute('aria-sort')") == "ascending"
    page.run(f"{head}.querySelector('button').click()")
    down = page.run(values)
    assert [float(value) for value in down if value] == sorted(numbers, reverse=True)
    assert (up[-1], down[-1]) == ("", "")  # what has no value stands last either way
    page.run(f"{HEADS}.tHead.rows[0].cells[0].querySelector('button').click()")
    names = page.run(f"{ROWS}.map(r => r.cells[0].textContent)")
    assert names == sorted(names)
    assert page.run(f"{head}.hasAttribute('aria-sort')") is False


def test_filtering_by_words(chromium: Chromium, address: str) -> None:
    page = chromium.page(address)
    field = "document.querySelector('#cases-part input[type=search]')"
    rows = "[...document.querySelector('#cases-part tbody').rows]"
    page.run(f"{field}.focus()")
    page.type("unet WORST")
    shown = page.run(f"{rows}.filter(r => !r.hidden).map(r => r.textContent)")
    assert len(shown) == 1
    assert "unet" in shown[0]
    count = page.run("document.querySelector('#cases-part .count').textContent")
    assert count == "1 of 9 rows"


def test_the_browser_draws_both_outlines(chromium: Chromium, address: str) -> None:
    """The best case was shifted by three voxels; slice 6 of 10 has most of the reference."""
    page = chromium.page(address)
    drawn(page)
    assert page.run("document.querySelector('output').textContent") == "6 of 10"
    page.run("document.querySelector('select[aria-label=Method]').value = 'unet'")
    page.run("document.querySelector('input[value=best]').click()")
    drawn(page)
    said = page.run("document.getElementById('said').textContent")
    assert said == "unet, 5 shot, draw 0: best case p003, Dice 60.0 (organ 80.0, tumour 40.0)"

    def pixels(*switched_off: str) -> dict[str, int]:
        """Blue and yellow pixels with these outlines off."""
        for name in ("reference", "prediction"):
            box = f"document.querySelector('.swatch.{name}').previousElementSibling"
            wanted = "false" if name in switched_off else "true"
            page.run(f"if ({box}.checked !== {wanted}) {box}.click()")
        counted = page.run(
            "(() => { const c = document.querySelector('canvas');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let blue = 0, yellow = 0;"
            "for (let i = 0; i < d.length; i += 4) {"
            "if (d[i + 2] > d[i] + 90) blue++; if (d[i] > d[i + 2] + 90) yellow++; }"
            "return { blue, yellow }; })()"
        )
        return dict(counted)

    both = pixels()
    assert both["blue"] > 500
    assert both["yellow"] > 300
    assert pixels("prediction")["blue"] == 0
    alone = pixels("reference")
    assert alone["yellow"] == 0
    assert alone["blue"] >= both["blue"]
    # a class alone has less outline
    page.run(
        "(() => { const s = document.querySelector('select[aria-label=Class]');"
        "s.value = 'tumour'; s.dispatchEvent(new Event('input')); })()"
    )
    assert 0 < pixels("reference")["blue"] < alone["blue"]


def test_the_keyboard_alone(chromium: Chromium, address: str) -> None:
    page = chromium.page(address)
    drawn(page)
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.press("Tab")
        reached.add(page.run("document.activeElement.closest('[id]')?.id ?? ''"))
    assert {"overview", "tables"} & reached
    page.run("document.querySelector('input[type=range]').focus()")
    before = page.run("document.querySelector('output').textContent")
    page.press("ArrowRight")
    assert page.run("document.querySelector('output').textContent") != before
    page.run("document.querySelector('canvas').focus()")
    page.press("ArrowDown")
    assert page.run("document.querySelector('output').textContent") == before
    page.run(f"{HEADS}.tHead.rows[0].cells[2].querySelector('button').focus()")
    page.press("Enter")
    assert page.run(f"{HEADS}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "ascending"
    page.run("document.querySelector('.board summary').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('.board details').open")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_sideways_scrolling_on_a_phone(chromium: Chromium, address: str, width: int) -> None:
    page = chromium.page(address, width=width, height=700)
    drawn(page)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width


def brightness(page: Page, element: str, what: str) -> float:
    colour = page.run(f"getComputedStyle(document.querySelector('{element}')).{what}")
    red, green, blue = (int(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3])
    return (red + green + blue) / 3


def test_light_dark_and_a_switch(chromium: Chromium, address: str) -> None:
    for dark in (False, True):
        page = chromium.page(address, dark=dark)
        assert (brightness(page, "body", "backgroundColor") < 60) is dark
        assert (
            abs(brightness(page, "body", "backgroundColor") - brightness(page, "body", "color"))
            > 150
        )
        page.run("document.querySelector('.theme').click()")  # light
        assert brightness(page, "body", "backgroundColor") > 200
        page.run("document.querySelector('.theme').click()")  # dark
        assert brightness(page, "body", "backgroundColor") < 60
