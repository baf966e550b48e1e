"""Pages in a browser: no errors, no requests, sorting, paging, legibility, escaping."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from mtkit.comparison.page.render import as_html
from mtkit.evaluation.perplexity import Perplexity, TextPerplexity, TokenProbabilities, splits
from mtkit.evaluation.perplexity_page import as_html as perplexity_page
from mtkit.explanation.reasons import Explanation, Neighbour, Support
from mtkit.manifest import TrainingPair
from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Grid, write_page
from mtkit.system import RIVALS, Phrase, PhraseReasons, Piece, Rival, SubwordReasons, Term, Word
from tests.support.comparisons import REFERENCES, SOURCES, built, of, systems

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (BROWSER and DRIVER):
    pytest.skip("needs Debian's chromium and chromium-driver", allow_module_level=True)

LOG = [{"update": k, "dev_perplexity": 90 / k, "gradient_norm": 1.0, "bleu": k} for k in (10, 20)]
HOSTILE = (
    "<script>window.hacked=1</script> <img src=x onerror='window.hacked=1'> \"double\" 'single' "
    '</dd></table> "onclick="window.hacked=1" &lt;b&gt; ' + "Donaudampfschifffahrt" * 8
)
PAGES = ("report", "hostile", "charts", "surprise")
SCHEMES = ("light", "dark")
ENOUGH = 4.5  # contrast of text: WCAG 2, success criterion 1.4.3


# --- pages


def explanations(text: str) -> list[Explanation]:
    """Return explanations by one-hot attention and by two phrases, all made of ``text``."""
    n = 12
    attention = [[float(i == t) for i in range(n)] for t in range(n)]
    pieces = [Piece(text, -0.1 * t, t, [Rival(text, 0.01)] * RIVALS, text) for t in range(n)]
    pair = TrainingPair(7, text, text)
    terms = [Term("lm", -2.0, 0.5, -1.0), Term("words", 1.0, -0.5, -0.5)]
    phrases = [Phrase([text], [text], (k, k + 1), "monotone", k > 0, terms) for k in range(2)]
    words = [Word(text, -1.5, [text, text]), Word(text, -2.5, [text])]
    nmt = SubwordReasons([text] * n, text, -0.5, 1.0, pieces, attention, [text])
    smt = PhraseReasons([text], text, -1.5, phrases, words, terms)
    return [
        Explanation("nmt", text, nmt, [], [Neighbour(pair, 0.9)], text),
        Explanation("smt", text, smt, [Support(1, [pair])] * 2, [], text),
    ]


def report() -> str:
    """Return a page of `mtkit compare` with training charts and heat maps."""
    translations = [replace(t, training=LOG) for t in systems()]
    options = {"languages": ("en", "de"), "warnings": ["A warning"]}
    made = built(SOURCES, REFERENCES, translations, resamples=20, trials=20, **options)
    reasons = {example.line: explanations("Zü") for example in made.examples[:2]}
    return as_html(replace(made, explanations=reasons))


def hostile() -> str:
    """Return a report with hostile text in every input."""
    lines, two = [HOSTILE] * 8, (HOSTILE, HOSTILE)
    names = HOSTILE, f"{HOSTILE} again"
    translations = [replace(of(name, "nmt", lines), training=LOG) for name in names]
    options = {"paths": two, "languages": two, "warnings": [HOSTILE]}
    made = built(lines, lines, translations, resamples=20, trials=20, **options)
    return as_html(replace(made, explanations={made.examples[0].line: explanations(HOSTILE)}))


def charts() -> str:
    """Return charts with a level, an equation, a switch and long names; a table with joiners."""
    names = [HOSTILE, *(f"model {k}" for k in range(9))]
    rising = tuple(Line(n, ((0.0, 1.0), (9.0, 2.0 + 9 * k))) for k, n in enumerate(names))
    chart = Chart("Rising", "k, words", rising, equations=("ρ^k {1}/{N}",), y="bits", note=HOSTILE)
    accuracy = replace(chart, title="Level", lines=rising[:1], level=(50.0, "chance level"))
    grid = Grid("∂L_t: tokens", ("Token", "￭,"), [[Cell("￭."), Cell("a￭", "b", 1.0)]] * 2)
    return Findings(HOSTILE, "How?", "", [chart, accuracy], [grid], ["So."]).as_html()


def surprise() -> str:
    """Return a page of `mtkit perplexity`."""
    words = [HOSTILE, "￭.", "</s>"] * 8
    T = len(words)
    whole, is_oov = Perplexity(4.0, None, T, 8, "P(y)"), np.arange(T) % 3 == 1
    order, begin = np.ones(T, np.int8), np.arange(0, T + 1, 3)
    log_p = -np.arange(T, dtype=np.float64)
    found = TokenProbabilities(
        whole, words, log_p, is_oov, order, begin, np.zeros(T), np.ones(8, np.int64)
    )
    groups = splits(found, Counter({HOSTILE: 3}))
    return perplexity_page([TextPerplexity(HOSTILE, {"P(y)": found}, {"P(y)": groups}, HOSTILE)])


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Page name → URL."""
    where = tmp_path_factory.mktemp("pages")
    for make in (report, hostile, charts, surprise):
        write_page(make(), where / f"{make.__name__}.html")
    return {name: (where / f"{name}.html").as_uri() for name in PAGES}


# --- the browser


Show = Callable[..., webdriver.Chrome]
Press = Callable[[WebElement], None]


@pytest.fixture(scope="module")
def chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.add_argument("--headless=new")
    options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as running:
        yield running


@pytest.fixture
def show(chromium: webdriver.Chrome, addresses: dict[str, str]) -> Show:
    """Return a function that opens one of ``PAGES``."""

    def opened(page: str, width: int = 1280, scheme: str = "light") -> webdriver.Chrome:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        chromium.get(addresses[page])
        return chromium

    return opened


def enter(button: WebElement) -> None:
    button.send_keys(Keys.ENTER)


by_mouse_and_by_keyboard = pytest.mark.parametrize(
    "press", [WebElement.click, enter], ids=["mouse", "keyboard"]
)


def unfold(browser: webdriver.Chrome) -> None:
    """Show all hidden elements."""
    browser.execute_script(
        "document.querySelectorAll('[hidden]').forEach(e => e.hidden = false);"
        "document.querySelectorAll('details').forEach(e => {"
        "  e.removeAttribute('name'); e.open = true; });"
    )


def use_everything(browser: webdriver.Chrome) -> None:
    """Click every button twice."""
    unfold(browser)
    browser.execute_script(
        "for (const b of document.querySelectorAll('button')) { b.click(); b.click(); }"
    )


# --- no errors, no requests


@pytest.mark.parametrize("page", PAGES)
def test_there_are_no_console_errors_and_no_requests(
    show: Show, addresses: dict[str, str], page: str
) -> None:
    browser = show(page)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.refresh()
    use_everything(browser)
    complaints = [e for e in browser.get_log("browser") if e["level"] in ("WARNING", "SEVERE")]
    assert complaints == []
    assert _requests(browser) == [addresses[page]]


def _requests(browser: webdriver.Chrome) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


# --- sorting


def test_heads_of_tables_with_several_rows_are_buttons(show: Show) -> None:
    heads = show("report").execute_script(
        "return [...document.querySelectorAll('table:not(.heat)')].flatMap(table =>"
        "  [...table.querySelectorAll('th[scope=col]')].map(head => [table.tBodies[0].rows.length,"
        "    head.childNodes.length === 1 && head.firstChild.tagName]))"
    )
    assert {rows > 1 for rows, _ in heads} == {True, False}
    assert all((inside == "BUTTON") == (rows > 1) for rows, inside in heads)


@by_mouse_and_by_keyboard
def test_a_button_sorts_its_table(show: Show, press: Press) -> None:
    table = show("report").find_element(By.TAG_NAME, "table")
    names, *heads = table.find_elements(By.CSS_SELECTOR, "th[scope=col]")
    before = _rows(table)
    for at, head in enumerate(heads, 1):
        for direction in ("ascending", "descending", "ascending"):
            press(head.find_element(By.TAG_NAME, "button"))
            numbers = _numbers(table, at)
            assert numbers == sorted(numbers, reverse=direction == "descending")
            assert len(set(numbers)) > 1
            assert head.get_attribute("aria-sort") == direction
        assert len(table.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
    assert sorted(_rows(table)) == sorted(before)
    press(names.find_element(By.TAG_NAME, "button"))
    assert _rows(table) == sorted(before)


def test_missing_numbers_sort_last(show: Show) -> None:
    browser = show("report")
    unfold(browser)
    head = browser.find_element(By.XPATH, "//th[.='Seconds']")
    table = head.find_element(By.XPATH, "ancestor::table")
    button = head.find_element(By.TAG_NAME, "button")
    for wanted in ([6.0, 15.0, None], [15.0, 6.0, None]):
        button.click()
        assert _numbers(table, 1) == wanted


def test_the_tab_key_focuses_a_button_visibly(show: Show) -> None:
    browser = show("report")
    browser.find_element(By.CSS_SELECTOR, ".scroll").send_keys(Keys.TAB)
    reached = browser.switch_to.active_element
    assert reached == browser.find_element(By.CSS_SELECTOR, "th button")
    assert reached.value_of_css_property("outline-style") == "solid"


def _rows(table: WebElement) -> list[str]:
    return [row.text for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")]


def _numbers(table: WebElement, at: int) -> list[float | None]:
    """Return the sort keys of a column."""
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({at + 1})")
    found = [cell.get_attribute("data-number") for cell in cells]
    return [None if number is None else float(number) for number in found]


# --- paging


@by_mouse_and_by_keyboard
def test_examples_are_paged_by_six(show: Show, press: Press) -> None:
    browser = show("report")
    bar = browser.find_element(By.CSS_SELECTOR, "nav.pages:has(+ ol.paged#examples)")
    back, following = bar.find_elements(By.TAG_NAME, "button")
    said = bar.find_element(By.TAG_NAME, "span")
    items = browser.find_elements(By.CSS_SELECTOR, "#examples > li")
    assert (back.text, following.text) == ("Previous", "Next")

    def first_page() -> None:
        assert [item.is_displayed() for item in items] == [True] * 6 + [False] * 6
        assert said.text == "1–6 of 12"
        assert (back.is_enabled(), following.is_enabled()) == (False, True)

    first_page()
    press(following)
    assert browser.switch_to.active_element == back  # focus moves from the disabled button
    assert [item.is_displayed() for item in items] == [False] * 6 + [True] * 6
    assert said.text == "7–12 of 12"
    assert (back.is_enabled(), following.is_enabled()) == (True, False)
    press(back)
    first_page()


# --- enlarging

SMALLEST = """
const says = e => [...e.childNodes].some(node => node.nodeType === 3 && node.data.trim());
const texts = [...document.querySelectorAll("dialog *")];
return Math.min(...texts.filter(e => says(e) && e.checkVisibility() && !e.closest(".joiner"))
  .map(e => parseFloat(getComputedStyle(e).fontSize)));
"""


@by_mouse_and_by_keyboard
@pytest.mark.parametrize(("page", "width"), [("charts", 960), ("report", 1280)])
def test_a_chart_fills_the_window(show: Show, page: str, width: int, press: Press) -> None:
    """A width of 960 is 1,920 pixels at 200 %."""
    browser = show(page, width)
    before = browser.find_element(By.TAG_NAME, "main").get_attribute("innerHTML")
    figures = browser.find_elements(By.CSS_SELECTOR, "main > figure, main > .charts figure")
    assert figures
    for figure in figures:
        press(figure.find_element(By.CSS_SELECTOR, ".enlarge"))
        large = browser.find_element(By.CSS_SELECTOR, "dialog[open] figure")
        plot = large.find_element(By.CSS_SELECTOR, ".plot, .bars")
        assert large == figure
        assert width - 50 <= plot.rect["width"] <= width
        assert plot.rect["width"] >= 900
        assert browser.execute_script(SMALLEST) >= 14
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        WebDriverWait(browser, 5).until(lambda b: not b.find_elements(By.CSS_SELECTOR, "dialog *"))
        assert browser.switch_to.active_element == figure.find_element(By.CSS_SELECTOR, ".enlarge")
    assert browser.find_element(By.TAG_NAME, "main").get_attribute("innerHTML") == before


def test_an_attention_matrix_fills_the_window(show: Show) -> None:
    browser = show("report", 960)
    unfold(browser)
    button = browser.find_element(By.CSS_SELECTOR, "figure:has(.heat) .enlarge")
    browser.execute_script("arguments[0].click()", button)
    rect = browser.find_element(By.CSS_SELECTOR, "dialog[open] .heat").rect
    assert 900 <= rect["width"] <= 960
    assert rect["height"] >= 600


def test_arrow_keys_show_the_other_charts(show: Show) -> None:
    browser = show("charts")
    first, second = browser.find_elements(By.CSS_SELECTOR, "main figure")
    first.find_element(By.CSS_SELECTOR, ".plot").click()
    for key, shown in ((Keys.RIGHT, second), (Keys.RIGHT, first), (Keys.LEFT, second)):
        browser.switch_to.active_element.send_keys(key)
        assert browser.find_elements(By.CSS_SELECTOR, "dialog figure") == [shown]
    assert browser.find_elements(By.CSS_SELECTOR, "main figure") == [first]


def test_a_switch_changes_to_a_log_scale(show: Show) -> None:
    browser = show("charts")
    switches = browser.find_elements(By.CSS_SELECTOR, "figure input")
    assert len(switches) == 1  # on the chart of many lines

    def axes() -> list[str]:
        names = browser.find_elements(By.CSS_SELECTOR, "figure:has(input) .y-name")
        return [name.text for name in names if name.is_displayed()]

    assert axes() == ["bits"]
    switches[0].click()
    assert axes() == ["bits (log scale)"]


def test_line_names_do_not_overlap(show: Show) -> None:
    for width in (390, 1280):
        browser = show("charts", width)
        names = browser.find_elements(By.CSS_SELECTOR, "figure:has(input) .as-is .names > span")
        tops = sorted(name.rect["y"] for name in names)
        assert len(tops) == 10
        assert min(b - a for a, b in pairwise(tops)) >= 12
        plot = browser.find_element(By.CSS_SELECTOR, ".as-is").rect
        ends = [name.rect["x"] + name.rect["width"] for name in names]
        assert max(ends) <= plot["x"] + plot["width"] + 1


def test_a_group_links_to_its_sentences(show: Show) -> None:
    browser = show("report")
    link = browser.find_element(By.CSS_SELECTOR, ".x a")
    sentences = browser.find_element(By.CSS_SELECTOR, link.get_attribute("hash"))
    assert not sentences.is_displayed()
    link.click()
    assert sentences.is_displayed()
    assert len(sentences.find_elements(By.TAG_NAME, "li")) == 5


# --- navigation


@pytest.mark.parametrize("page", ["report", "charts"])
def test_the_contents_link_to_every_section(show: Show, page: str) -> None:
    browser = show(page)
    links = browser.find_elements(By.CSS_SELECTOR, "nav.contents a")
    heads = browser.find_elements(By.TAG_NAME, "h2")
    assert [link.text for link in links] == [head.text for head in heads]
    for link, head in zip(links, heads, strict=True):
        assert link.get_attribute("hash") == f"#{head.get_attribute('id')}"
    links[-1].click()
    bar = browser.find_element(By.CSS_SELECTOR, "nav.contents")
    top, bottom, head_at = browser.execute_script(
        "const [bar, head] = [...arguments].map(e => e.getBoundingClientRect());"
        "return [bar.top, bar.bottom, head.top]",
        bar,
        heads[-1],
    )
    assert top == 0
    assert bottom <= head_at


def test_wide_tables_have_a_scroll_hint(show: Show) -> None:
    script = (
        "return [...document.querySelectorAll('main > .scroll, main > details .scroll')].map(e =>"
        "  [e.scrollWidth > e.clientWidth + 1,"
        "   getComputedStyle(e.querySelector('caption'), '::after').content.includes('scroll')])"
    )
    for width, both in ((390, {True, False}), (1280, {False})):
        browser = show("report", width)
        unfold(browser)
        WebDriverWait(browser, 5).until(
            lambda b: all(wide == said for wide, said in b.execute_script(script))
        )
        assert {wide for wide, _ in browser.execute_script(script)} == both


def test_joiner_marks_are_drawn_not_glyphs(show: Show) -> None:
    marks = show("charts").execute_script(
        "return [...document.querySelectorAll('table .joiner')].map(e => [e.textContent,"
        "  getComputedStyle(e).fontSize, getComputedStyle(e, '::before').width])"
    )
    assert len(marks) == 1 + 2 * 2
    said = show("charts").find_element(By.CSS_SELECTOR, "main > .notes:last-child").text
    assert said.endswith("joins a token to its neighbour without a space.")
    assert {(text, size) for text, size, _ in marks} == {("￭", "0px")}
    assert all(float(width.removesuffix("px")) > 3 for *_, width in marks)


def test_print_is_light_and_complete(show: Show) -> None:
    browser = show("report", scheme="dark")
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    body = browser.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
    shown = browser.execute_script(
        "return arguments[0].map(kind => [...document.querySelectorAll(kind)]"
        "  .map(e => e.checkVisibility({contentVisibilityAuto: true})))",
        ["#examples > li", "main > .folded table", ".contents, .pages, .enlarge, .groups"],
    )
    assert list(map(set, shown)) == [{True}, {True}, {False}]


AXE = os.environ.get("AXE", "")  # axe-core's axe.min.js


@pytest.mark.skipif(not AXE, reason="needs axe-core: AXE=…/axe.min.js")
@pytest.mark.parametrize("page", [page for page in PAGES if page != "hostile"])  # invalid languages
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_nothing_serious(show: Show, page: str, width: int, scheme: str) -> None:
    browser = show(page, width, scheme)
    unfold(browser)
    browser.execute_script(Path(AXE).read_text(encoding="utf-8"))
    violations = browser.execute_async_script(
        "axe.run(document).then(found => arguments[0](found.violations))"
    )
    serious = [v["help"] for v in violations if v["impact"] in ("serious", "critical")]
    assert serious == []


# --- legibility


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(show: Show, width: int, scheme: str, page: str) -> None:
    browser = show(page, width, scheme)
    unfold(browser)
    inner, visible, needed = browser.execute_script(
        "const page = document.documentElement;"
        "return [window.innerWidth, page.clientWidth, page.scrollWidth]"
    )
    assert inner == width
    assert needed <= visible


@pytest.mark.parametrize("page", PAGES)
def test_captions_fit_narrow_windows(show: Show, page: str) -> None:
    browser = show(page, 390)
    unfold(browser)
    cut = browser.execute_script(
        "return [...document.querySelectorAll('caption')]"
        "  .filter(e => e.offsetWidth > e.closest('.scroll').clientWidth).map(e => e.textContent)"
    )
    assert cut == []


# Paints a pixel like an element: backgrounds from the outermost inwards, then the text.
CONTRASTS = """
const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const luminance = colours => {
  for (const colour of colours) { pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1); }
  const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map(byte => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = e => e ? [...behind(e.parentElement), getComputedStyle(e).backgroundColor] : [];
const contrast = e => {
  const style = getComputedStyle(e), drawn = e instanceof SVGElement;
  const below = behind(e), text = drawn ? style.fill : style.color;
  const [dark, light] = [luminance(below), luminance([...below, text])].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const says = e => [...e.childNodes].some(node => node.nodeType === 3 && node.data.trim());
return [...document.body.querySelectorAll("*")]
  .filter(e => says(e) && e.checkVisibility() && e.getClientRects().length)
  .map(e => [contrast(e), e.localName, e.textContent.trim().slice(0, 40)]);
"""


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_has_contrast(show: Show, scheme: str, page: str) -> None:
    browser = show(page, scheme=scheme)
    unfold(browser)
    found = browser.execute_script(CONTRASTS)
    expected = {"report": {"button", "caption", "dd", "li", "p", "small", "summary", "td", "span"}}
    assert expected.get(page, {"span"}) <= {tag for _, tag, _ in found}
    assert [text for text in found if text[0] < ENOUGH] == []


@pytest.mark.parametrize(("scheme", "bright"), [("light", True), ("dark", False)])
def test_the_page_follows_the_colour_scheme(show: Show, scheme: str, bright: bool) -> None:
    body = show("report", scheme=scheme).find_element(By.TAG_NAME, "body")
    assert (body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)") is bright


# --- escaping


@pytest.mark.parametrize("page", ["charts", "surprise"])
def test_hostile_names_stay_text(show: Show, page: str) -> None:
    browser = show(page)
    use_everything(browser)
    assert browser.execute_script("return typeof window.hacked") == "undefined"
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert browser.find_elements(By.CSS_SELECTOR, "img, b, [onclick], [onerror]") == []
    for kind in (".names bdi", "desc"):
        texts = browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", kind
        )
        assert any(HOSTILE in text for text in texts)


def test_hostile_text_stays_text(show: Show) -> None:
    browser = show("hostile")
    use_everything(browser)
    assert browser.execute_script("return typeof window.hacked") == "undefined"
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert browser.find_elements(By.CSS_SELECTOR, "img, b, [onclick], [onerror]") == []
    texts = {
        kind: browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", kind
        )
        for kind in ("h1", ".warnings li", "th bdi", "dt bdi", "#examples > li > dl dd")
    }
    assert all(any(HOSTILE in text for text in found) for found in texts.values())
    assert set(texts["#examples > li > dl dd"]) == {HOSTILE}
    assert len(texts["#examples > li > dl dd"]) == 8 * 4
