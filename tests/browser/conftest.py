"""A real Chromium, driven by selenium. Run with `make test-browser PROFILE=smoke`; `make test` leaves these tests out.

`FERSYN_PROFILE` names the report to open (default: smoke), `FERSYN_PROJECT` another checkout that holds it.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

PROFILE = os.environ.get("FERSYN_PROFILE") or "smoke"
PROJECT = Path(os.environ.get("FERSYN_PROJECT") or Path(__file__).resolve().parents[2]).resolve()
WIDE, PHONE = 1280, 390


class Browser:
    """Chromium with what the tests ask of it; `driver` is selenium's."""

    def __init__(self, driver):
        self.driver = driver

    def look(self, url: str, width: int = WIDE, scheme: str = "light", media: str = "") -> None:
        """Opens a page in a window of `width` px, in light or dark mode, for the screen or (`media`) for print."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width == PHONE
        )
        self.cdp(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.driver.get(url)

    def cdp(self, command: str, **arguments):
        """A command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, code: str, *arguments):
        """The value that JavaScript code returns."""
        return self.driver.execute_script(code, *arguments)

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call, without those of Chromium's own pages."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and not message["params"]["request"]["url"].startswith(("chrome:", "chrome-", "about:"))
        ]

    def complaints(self) -> list[str]:
        """Errors on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


def _programs() -> tuple[str, str]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.fail(
            "no Chromium here; install it with: apt-get install chromium chromium-driver (Debian), or put a chromium and "
            "a chromedriver of one version on PATH",
            pytrace=False,
        )
    return chromium, driver


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One Chromium for all tests; its profile lies in a temporary folder."""
    chromium, chromedriver = _programs()
    try:
        from selenium import webdriver
    except ImportError:
        pytest.fail("no selenium here; install it with: pip install -r requirements-dev.txt", pytrace=False)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--force-prefers-reduced-motion",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    driver.set_page_load_timeout(60)
    driver.get("about:blank")
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def report():
    """The folder of the report that is looked at."""
    folder = PROJECT / "reports" / PROFILE
    if not (folder / "index.html").is_file():
        pytest.fail(f"no report in reports/{PROFILE}; make it with: make report PROFILE={PROFILE}", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def pages(report):
    """All pages of the report."""
    return sorted(report.glob("*.html"))
