"""Notebook 07 in JupyterLab: the kernel runs all cells, a key moves the slider, the picture changes."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from fersyn.reporting import parameters

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PROFILE = os.environ.get("FERSYN_PROFILE") or "smoke"
PROJECT = Path(os.environ.get("FERSYN_PROJECT") or ROOT).resolve()
NOTEBOOK = "07_explore.ipynb"

# The picture's bytes, not its address: that is a new one with every message.
BYTES = """
const [selector, done] = [arguments[0], arguments[arguments.length - 1]]
const picture = document.querySelector(selector)
if (!picture || !picture.naturalWidth) { done(null) } else {
  fetch(picture.src).then(answer => answer.arrayBuffer()).then(bytes => crypto.subtle.digest('SHA-256', bytes))
    .then(mark => done([...new Uint8Array(mark)].map(v => v.toString(16).padStart(2, '0')).join(''))).catch(() => done(null))
}
"""
# Tracebacks of cells, and parts of the panel that could not be drawn; these tell why when they are clicked.
ERRORS = """
document.querySelectorAll('.jupyter-widgets-error-widget').forEach(part => part.innerText.includes('Click') && part.click())
return [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.error"], .jupyter-widgets-error-widget')]
  .map(output => output.textContent.slice(0, 1500))
"""


def wait(what, seconds=90, pause=0.25):
    """The first value of `what()` that is true; the last one after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(pause)
    return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def copy(tmp_path):
    """A project of links with a notebook of its own: JupyterLab saves what it shows."""
    folder = tmp_path / "project"
    (folder / "notebooks").mkdir(parents=True)
    for name in ("data", "runs"):
        (folder / name).symlink_to(PROJECT / name)
    for name in ("Snakefile", "profiles", "fersyn"):
        (folder / name).symlink_to(ROOT / name)
    source = ROOT / "notebooks" / NOTEBOOK
    book = json.loads(source.read_text(encoding="utf-8"))
    chosen = {
        "runs": f"runs/{PROFILE}",
        **parameters.taken(source, parameters.load_profile(PROFILE, folder=ROOT).parameters),
    }
    for cell in book["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            lines = [f"{name} = {value!r}" for name, value in chosen.items()]
            cell["source"] = "\n".join(["".join(cell["source"]), *lines])
    (folder / "notebooks" / NOTEBOOK).write_text(json.dumps(book), encoding="utf-8")
    return folder


@pytest.fixture
def lab(copy, tmp_path):
    """JupyterLab's address and token; it is stopped afterwards, with its kernels."""
    port, token = free_port(), secrets.token_hex(16)
    own = {
        name: str(tmp_path / name.lower())
        for name in (
            "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR",
            "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR",
        )
    }  # fmt: skip
    # Cells out of sight would be taken out of the page, and their pictures with them.
    settings = Path(own["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", "notebook-extension", "tracker.jupyterlab-settings")
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}', encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={copy}",
        "--ServerApp.allow_root=True", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = tmp_path / "lab.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            command, cwd=copy, env={**os.environ, **own, "PYTHONPATH": path, "JUPYTER_PREFER_ENV_PATH": "1"},
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def answers():
        if server.poll() is not None:
            return True
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={token}", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    try:
        assert wait(answers) and server.poll() is None, log.read_text()[-3000:]
        yield f"http://127.0.0.1:{port}", token
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _keep(browser):
    """A screenshot of the panel, where `FERSYN_SCREENSHOTS` names a folder: for somebody to look at."""
    folder = os.environ.get("FERSYN_SCREENSHOTS")
    if folder:
        browser.js("document.querySelector('.fersyn-explorer').scrollIntoView()")
        time.sleep(2)
        browser.driver.save_screenshot(str(Path(folder) / "07_explore.png"))


def test_a_key_moves_the_slider_and_the_picture_changes(browser, lab, copy):
    from selenium.webdriver.common.keys import Keys

    address, token = lab
    browser.complaints()
    browser.look(f"{address}/lab/tree/notebooks/{NOTEBOOK}?token={token}", width=1400)
    browser.driver.set_script_timeout(30)
    ready = "return !!(window.jupyterapp && document.querySelector('.jp-NotebookPanel .jp-Cell'))"
    assert wait(lambda: browser.js(ready)), "JupyterLab did not open the notebook"
    idle = (
        "const s = window.jupyterapp.shell.currentWidget?.context?.sessionContext;"
        "return s?.session?.kernel?.status === 'idle'"
    )
    assert wait(lambda: browser.js(idle)), "no kernel"
    browser.js("window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def picture():
        return browser.driver.execute_async_script(BYTES, ".fersyn-result img, img.fersyn-result")

    def settled():
        last = None
        for _ in range(60):
            last, before = picture(), last
            if last is not None and last == before:
                return last
            time.sleep(1)
        raise AssertionError("the picture does not come to rest")

    before = wait(lambda: picture() or browser.js(ERRORS), 150, 1)
    _keep(browser)
    faults = browser.js(ERRORS)
    assert not faults, "\n".join([*faults, *browser.complaints()])
    told = "return [...document.querySelectorAll('.fersyn-status')].map(line => line.innerText).join(' ')"
    assert isinstance(before, str), f"no picture came; the panel says: {browser.js(told)}"
    assert wait(lambda: browser.js(idle)), "the cells did not end"
    before = settled()  # what follows right after the first picture is over
    handle = browser.driver.find_element("css selector", ".fersyn-intensity .noUi-handle, .fersyn-intensity input")
    shown = "return document.querySelector('.fersyn-intensity').innerText"
    told = browser.js(shown)
    browser.js("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", handle)
    for _ in range(5):
        handle.send_keys(Keys.ARROW_LEFT)
    assert wait(lambda: picture() not in (None, before), 60), "the picture is the same as before"
    assert browser.js(shown) != told, "the slider's number did not move"
    after = settled()  # not a picture of the way there, which would come again on the way back
    for _ in range(3):
        handle.send_keys(Keys.ARROW_RIGHT)
    assert wait(lambda: picture() not in (None, after), 60)
    assert browser.js(ERRORS) == []
    browser.look("about:blank")
