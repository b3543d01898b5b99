"""The page in a real browser: Debian's chromium, driven by selenium."""

import os
import shutil

import pytest
from server_process import ended, running

webdriver = pytest.importorskip("selenium.webdriver")
By = pytest.importorskip("selenium.webdriver.common.by").By
ui = pytest.importorskip("selenium.webdriver.support.ui")
pytest.importorskip("uvicorn")
if not (shutil.which("chromium") and shutil.which("chromedriver")):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

pytestmark = pytest.mark.slow
COMMAND = ("-m", "bert4keras3", "serve", "zh-tiny", "--application", "unilm")
SHOTS = os.environ.get("SCREENSHOTS")  # a folder for pictures of the page


@pytest.fixture(scope="module")
def url():
    with running(*COMMAND, "--port", "0", "--characters", "60") as (process, url):
        yield url
        process.terminate()
        assert ended(process) == 0


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    driver.set_window_size(900, 900)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, url, request):
    browser.get(url)
    until(browser, lambda: "available" in find(browser, "#status").text)
    yield browser
    if SHOTS:
        browser.save_screenshot(f"{SHOTS}/{request.node.name}.png")
    assert browser.get_log("browser") == [] or "bad" in request.node.name


def find(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def until(page, condition):
    ui.WebDriverWait(page, 60, 0.05).until(lambda _: condition())


def write(page, selector, text):
    find(page, selector).clear()
    find(page, selector).send_keys(text)


def texts(page, selector):
    return [one.text for one in page.find_elements(By.CSS_SELECTOR, selector)]


def test_fill_mask(page):
    write(page, "#fill-mask-text", "今天天[MASK]很好。\n中国的首都是[MASK]京。")
    find(page, "#fill-mask-run").click()
    until(page, lambda: len(texts(page, "#result .text")) == 2)
    shown = texts(page, "#result .text")
    assert "[MASK]" not in "".join(shown) and shown[0].startswith("今天天")
    bars = texts(page, "#result .bar")
    assert len(bars) == 10 and shown[0][3] == bars[0][0]


def test_what_is_not_loaded_is_disabled(page):
    tab = find(page, "[data-task=classify]")
    assert not tab.is_enabled() and "not loaded" in tab.get_attribute("title")


def test_similar(page):
    find(page, "[data-task=similar]").click()
    write(page, "#similar-text", "怎么开通银行卡")
    write(page, "#similar-candidates", "天气真好\n怎么开通银行卡\n银行卡如何开通")
    find(page, "#similar-run").click()
    until(page, lambda: len(texts(page, "#result .bar")) == 3)
    assert texts(page, "#result .bar span:first-child")[0] == "怎么开通银行卡"


def test_generate_and_stream_say_the_same(page):
    find(page, "[data-task=generate]").click()
    write(page, "#generate-text", "科学技术是第一生产力")
    write(page, "#generate-seed", "3")
    write(page, "#generate-temperature", "1.5")  # it would say the same all the time
    find(page, "#generate-run").click()
    until(page, lambda: texts(page, "#result .text"))
    (whole,) = texts(page, "#result .text")
    find(page, "#generate-stream").click()
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "#result [data-done]"))
    streamed = find(page, "#result .text")
    assert streamed.text == whole and len(set(whole)) > 2
    assert int(streamed.get_attribute("data-pieces")) > 2


def test_a_bad_text_is_told(page):
    write(page, "#fill-mask-text", "没有空格" * 20)
    find(page, "#fill-mask-run").click()
    until(page, lambda: texts(page, "#result .error"))
    assert "60" in texts(page, "#result .error")[0]
    assert find(page, "#fill-mask-run").is_enabled()
