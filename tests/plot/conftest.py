"""A headless Chromium, made once for a file."""

import shutil

import pytest

from tests.plot.pages import Browser

ALONE = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
SOFTWARE = ("--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium, or a skip that says what is missing."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1000,640", f"--user-data-dir={profile}", offline):
        options.add_argument(flag)
    for flag in ALONE + SOFTWARE:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield Browser(chromium, tmp_path_factory.mktemp("shots"))
    finally:
        chromium.quit()
