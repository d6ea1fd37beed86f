"""The report as a reader opens it: from a file, on a wide screen and on a phone, in light and dark mode, in print."""

import base64
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.browser

WIDE, PHONE = 1280, 390
# A page that is larger does not go through many a mail server.
MOST_BYTES = 5_000_000
# Below this the eye of many readers gives up (WCAG asks 4.5 of small text, 3 of large).
LEAST_CONTRAST = 3.0

PICTURES = """
return [...document.images].map(picture => ({
  alt: picture.getAttribute('alt'), width: picture.naturalWidth, src: picture.src.slice(0, 30),
}))
"""
# Text whose colour is too near to that of the ground behind it.
PALE = """
const numbers = colour => (colour.match(/[\\d.]+/g) || []).map(Number)
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
const ground = element => {
  for (; element; element = element.parentElement) {
    const colour = numbers(getComputedStyle(element).backgroundColor)
    if (colour.length && (colour.length === 3 || colour[3] > .5)) return colour
  }
  return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255]
}
const found = []
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
  if (!own || ['SCRIPT', 'STYLE'].includes(element.tagName) || !element.getClientRects().length) continue
  const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))]
  const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
  if (contrast < arguments[0]) {
    found.push(`${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)} (${contrast.toFixed(2)})`)
  }
}
return found.slice(0, 10)
"""
WIDER = """
const most = document.documentElement.clientWidth
return document.documentElement.scrollWidth <= most ? [] : [...document.body.querySelectorAll('*')]
  .filter(element => element.getBoundingClientRect().right > most + 1).slice(0, 5)
  .map(element => `${element.tagName} ${element.className} reaches ${Math.round(element.getBoundingClientRect().right)} px`)
  .concat([`the page is ${document.documentElement.scrollWidth} px wide`])
"""
# What is wider than its box, and cannot be scrolled to.
CUT = """
const found = []
for (const element of document.body.querySelectorAll('*')) {
  // What is wider than the text reaches into the page's margins, on purpose: how far, the test above looks at.
  if (!element.clientWidth || element.localName === 'main' || element.closest('dialog, svg') || element.closest('math') && element.localName !== 'math') continue
  const flow = getComputedStyle(element).overflowX
  if (element.scrollWidth > element.clientWidth + 1 && !['auto', 'scroll'].includes(flow)) {
    found.push(`${element.localName}.${element.className}: ${element.scrollWidth} in ${element.clientWidth} px, ${element.textContent.trim().slice(0, 40)}`)
  }
}
return found.slice(0, 10)
"""
# Signs of Markdown that are read as they stand.
LITERAL = """
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = []
for (let text; text = texts.nextNode();) {
  if (!text.parentElement.closest('script, style, pre, code') && /`|\\*\\*|\\*\\w[^*]*\\w\\*/.test(text.data)) found.push(text.data.trim().slice(0, 60))
}
return found
"""


def test_nothing_is_asked_for_elsewhere_and_the_console_is_quiet(browser, pages):
    browser.look("about:blank")  # what another test had open (JupyterLab) asks on until it is left
    browser.requests(), browser.complaints()
    for page in pages:
        browser.look(page.as_uri())
        browser.js("window.scrollTo(0, document.documentElement.scrollHeight)")
        asked = [url for url in browser.requests() if not url.startswith("data:")]
        assert asked == [page.as_uri()], page.name
        assert browser.complaints() == [], page.name
        assert page.stat().st_size < MOST_BYTES, page.name


def test_every_picture_is_there_and_described(browser, pages):
    seen = 0
    for page in pages:
        browser.look(page.as_uri())
        for picture in browser.js(PICTURES):
            assert picture["width"] > 0, f"{page.name}: {picture['src']} is broken"
            assert picture["alt"] and picture["alt"].strip(), f"{page.name}: {picture['src']} has no description"
            assert picture["src"].startswith("data:image/"), page.name
            seen += 1
    assert seen > 10, "a report without pictures is none"


def test_links_lead_somewhere(browser, report, pages):
    for page in pages:
        browser.look(page.as_uri())
        for href in browser.js("return [...document.links].map(link => link.href)"):
            target = urlsplit(href)
            if target.scheme != "file":
                assert target.scheme == "https", f"{page.name}: {href}"
                continue
            file = Path(unquote(target.path))
            assert file.is_file() and file.parent == report, f"{page.name}: {href} is not there"
            if target.fragment and file == page:
                assert browser.js("return !!document.getElementById(arguments[0])", unquote(target.fragment)), href


def test_from_the_index_to_a_page_and_back(browser, report):
    index = (report / "index.html").as_uri()
    browser.look(index)
    cards = browser.js("return [...document.querySelectorAll('.card h2 a')].map(link => link.textContent)")
    assert cards
    for number in range(len(cards)):
        browser.look(index)
        browser.driver.find_elements("css selector", ".card .buttons a:first-child")[number].click()
        assert browser.driver.current_url != index
        browser.driver.find_element("link text", "With code").click()
        assert browser.driver.current_url.endswith("-code.html") and browser.js(
            "return !!document.querySelector('pre')"
        )
        browser.driver.find_element("link text", "All reports").click()
        assert browser.driver.current_url == index


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_nothing_is_wider_than_the_screen(browser, pages, width):
    for page in pages:
        browser.look(page.as_uri(), width)
        assert browser.js(WIDER) == [], page.name


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_nothing_is_wider_than_its_box_unless_it_scrolls(browser, pages, width):
    for page in pages:
        browser.look(page.as_uri(), width)
        browser.js("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.js(CUT) == [], page.name


def test_the_first_column_stays_while_a_table_scrolls(browser, pages):
    seen = 0
    for page in pages:
        browser.look(page.as_uri(), PHONE)
        moved = """
            return [...document.querySelectorAll('.scroll')].filter(box => box.querySelector('tbody') && box.scrollWidth > box.clientWidth + 40).map(box => {
              const cell = box.querySelector('tbody tr').cells[0], before = cell.getBoundingClientRect().left
              box.scrollLeft = 30
              return Math.abs(cell.getBoundingClientRect().left - before)
            })"""
        found = browser.js(moved)
        seen += len(found)
        assert all(distance < 2 for distance in found), f"{page.name}: {found}"
    assert seen, "no table is wider than a phone"


def test_a_click_opens_a_picture_at_full_size_and_escape_closes_it(browser, report):
    from selenium.webdriver.common.keys import Keys

    browser.look((report / "03_image_quality.html").as_uri())
    picture = max(browser.driver.find_elements("css selector", "figure img"), key=lambda each: each.size["width"])
    browser.js("arguments[0].scrollIntoView({block: 'center'})", picture)
    natural = browser.js("return arguments[0].naturalWidth", picture)
    shown = "const d = document.querySelector('dialog'); return d.open ? d.querySelector('img').clientWidth : 0"
    assert browser.js(shown) == 0
    picture.click()
    assert browser.js(shown) == natural
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert browser.js(shown) == 0
    picture.send_keys(Keys.ENTER)
    assert browser.js(shown) == natural and browser.complaints() == []
    browser.driver.find_element("css selector", "dialog button").click()
    assert browser.js(shown) == 0


def test_no_sign_of_markdown_is_left(browser, pages):
    for page in pages:
        browser.look(page.as_uri())
        assert browser.js(LITERAL) == [], page.name


def test_what_is_one_is_in_the_singular(browser, pages):
    nouns = "people|pairs|pictures|faces|sweeps|runs|seeds|steps|rows|probes|photographs|recognisers|folds"
    for page in pages:
        browser.look(page.as_uri())
        text = browser.js("return document.body.innerText")
        assert not re.search(rf"(?<![\d.,/×]) ?(?<!\d )\b1 ({nouns})\b", text), page.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(browser, pages, scheme):
    for page in pages:
        browser.look(page.as_uri(), scheme=scheme)
        browser.js("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.js(PALE, LEAST_CONTRAST) == [], page.name
    ground = browser.js("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.strip("rgb()").split(","))) < 200) == (scheme == "dark"), ground


def test_in_print_paper_is_white_and_nothing_is_folded_away(browser, report, pages):
    for page in pages:
        browser.look(page.as_uri(), scheme="dark", media="print")
        assert browser.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", page.name
        assert browser.js(PALE, LEAST_CONTRAST) == [], page.name
        folded = "return [...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility({"
        assert browser.js(folded + "contentVisibilityAuto: true})).length") == 0, page.name
        cut = "return [...document.querySelectorAll('pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert browser.js(cut) == 0, page.name
    for page in (report / "index.html", pages[0]):
        browser.look(page.as_uri())
        file = base64.b64decode(browser.cdp("Page.printToPDF", printBackground=False)["data"])
        assert file.startswith(b"%PDF") and len(file) > 10_000


def test_what_the_numbers_depend_on_can_be_read_by_a_program(browser, report, pages):
    read = "return JSON.parse(document.getElementById('fersyn-provenance').textContent)"
    for page in pages:
        browser.look(page.as_uri())
        about = browser.js(read)
        if page.name == "index.html":
            assert about["profile"] and set(about["runs"]) >= {
                file.stem for file in pages if not file.stem.endswith("-code") and file.stem != "index"
            }
            continue
        for name in (
            "parameters",
            "seed",
            "commit",
            "fingerprints",
            "weights",
            "versions",
            "device",
            "started",
            "seconds",
        ):
            assert name in about, f"{page.name}: {name}"
        assert about["parameters"] and about["versions"] and about["fingerprints"], page.name
