"""Runs one notebook: papermill executes it, nbconvert makes its two HTML files, its numbers become JSON.

As a command, for the Snakefile::

    python -m fersyn.reporting.execute notebooks/01_preprocessing.ipynb reports/laptop/01_preprocessing-rendered \\
        --parameters '{"table": "data/laptop/rendered"}'

writes ``….ipynb``, ``….html``, ``…-code.html`` and ``….json``. When the notebook fails it writes ``….failed.ipynb``,
``….failed.html`` (with code and traceback) and ``….failed.json`` instead, says so on stderr and exits with 1. Those
names are not outputs of the Snakefile's rule, for Snakemake deletes the outputs of a job that failed.
"""

import argparse
import contextlib
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import nbformat
from traitlets.config import Config

from fersyn import __version__
from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.reporting import export, measured, privacy, provenance, record, times
from fersyn.reporting.findings import SMOKE, findings, is_smoke
from fersyn.reporting.parameters import declared
from fersyn.reporting.record import FAILED_SUFFIXES, ROWS, SCHEMA, SUFFIXES
from fersyn.system import environment

HOME = {"href": "index.html", "text": "All reports"}


def _tell(text: str) -> None:
    """Prints a line on stderr at once."""
    print(text, file=sys.stderr, flush=True)


class NotebookFailed(Exception):
    """A cell raised, or the kernel died; ``notebook`` is what was executed until then."""

    def __init__(self, reason: str, notebook: nbformat.NotebookNode | None):
        super().__init__(reason)
        self.notebook = notebook


def run_cells(source: Path, parameters: dict[str, Any], attempts: int = 2) -> nbformat.NotebookNode:
    """Executes a notebook in a fresh kernel of this very Python and returns it.

    Kernels that start at the same time on one machine now and then pick the same port, a known fault of papermill's
    default. Here they talk over files in a folder of their own; a kernel that fails before its first cell is started
    once more, then over ports.

    Raises:
        NotebookFailed: a cell raised or the kernel died.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    with tempfile.TemporaryDirectory() as folder, environment(
        # A user's own IPython startup files and kernels have no part in a report.
        JUPYTER_PREFER_ENV_PATH="1", IPYTHONDIR=folder, JUPYTER_RUNTIME_DIR=folder,
    ):  # fmt: skip
        # Threads that wait by spinning slow each other down many times over where another process wants the cores too.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("FERSYN_PROGRESS", "off")  # a bar would be a line a tick on the page
        output = Path(folder) / "executed.ipynb"
        for attempt in range(1, attempts + 1):
            config = Config()
            if attempt == 1 and os.name == "posix":
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(Path(folder) / "ipc")  # else in the working folder, which others share
            try:
                return papermill.execute_notebook(
                    str(source), str(output), parameters=parameters, kernel_name="python3", progress_bar=False,
                    start_timeout=120, config=config,
                )  # fmt: skip
            except PapermillExecutionError as error:
                name, value = error.ename, str(error.evalue)
                raise NotebookFailed(f"{name}: {value}", nbformat.read(output, as_version=4)) from None
            except Exception as error:
                partial = nbformat.read(output, as_version=4) if output.is_file() else None
                begun = partial is not None and any(cell.get("execution_count") for cell in partial.cells)
                if begun or attempt == attempts:
                    raise NotebookFailed(f"{type(error).__name__}: {error}", partial) from None
                _tell(f"{source.stem}: the kernel did not start ({error}); once more")
                time.sleep(1 + attempt)
    raise AssertionError("not reached")


def footer(seconds: float) -> str:
    """The last line of a page."""
    return (
        f"Executed in {seconds:.0f} s by fersyn {__version__}. This file is self-contained and loads nothing. Its numbers "
        "and what they depend on (parameters, seed, commit, data fingerprints, weights with SHA-256, versions, device, "
        f"times) stand in it as JSON, in the element #{provenance.ELEMENT}; `fersyn provenance` "
        "prints them, `fersyn compare` reads them."
    )


def is_private(source: Path, parameters: dict[str, Any]) -> bool:
    """Whether the pages will show everybody: by a parameter, or because the notebook's own cell says so."""
    with contextlib.suppress(FersynError):  # a notebook without parameters
        parameters = {**declared(source), **parameters}
    return bool(parameters.get("private"))


def run(source: Path, stem: Path, parameters: dict[str, Any], runs: Sequence[str] | None = None) -> dict[str, Any]:
    """Executes ``source`` and writes its files at ``stem`` (a path without suffix); returns the JSON's content.

    Args:
        source: the notebook.
        stem: path of the files to write, without suffix.
        parameters: laid over those of its parameters cell.
        runs: names of the report's runs, which the page may link to; None: those beside ``stem``.

    Raises:
        NotebookFailed: after writing the ``.failed`` files.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    _remove(stem, FAILED_SUFFIXES)
    private = is_private(source, parameters)
    numbers = _beside(stem, ".json")
    began, now = time.perf_counter(), datetime.now(timezone.utc)
    about: dict[str, Any] = {"notebook": source.stem, "run": stem.name, "started": now.isoformat(timespec="seconds")}
    try:
        notebook = privacy.scrub_notebook(run_cells(source, {**parameters, "results": str(numbers)}))
    except NotebookFailed as failure:
        about["seconds"] = round(time.perf_counter() - began, 1)
        _write_failure(source, stem, parameters, about, failure, private)
        raise
    about["seconds"] = round(time.perf_counter() - began, 1)

    content = json.loads(numbers.read_text(encoding="utf-8")) if numbers.is_file() else {"schema": SCHEMA}
    content = {"title": export.title_of(notebook), **content, **about, "status": "done", "private": private}
    if runs is None:
        runs = sorted({stem.name, *(file.name.removesuffix(".json") for file in stem.parent.glob("*.json"))})
    _write_pages(notebook, stem, content, runs)
    write_json(numbers, content, nan=False, rows=ROWS)
    return content


def _write_pages(
    notebook: nbformat.NotebookNode, stem: Path, content: dict[str, Any], runs: Sequence[str], keep: bool = False
) -> None:
    """Writes the executed notebook (unless it is to `keep` as it lies there) and its two pages; warns on stderr of a page that is too large to be sent around, and
    of pictures without description.
    """
    private = content["private"]
    answer = [found.text for found in findings(content)]
    warning, cost = SMOKE if is_smoke(content, stem.parent.name) else "", times.told(content)
    if not keep:
        _write_notebook(notebook, _beside(stem, ".ipynb"), private)
    for suffix, other, text in ((".html", "-code.html", "With code"), ("-code.html", ".html", "Without code")):
        file = _beside(stem, suffix)
        home = [HOME] if not keep or (stem.parent / HOME["href"]).is_file() else []
        links, end = [*home, {"href": stem.name + other, "text": text}], footer(content["seconds"])
        code = suffix == "-code.html"
        page = export.html(
            notebook, code, links, end, runs, about=content, private=private, answer=answer, warning=warning, cost=cost
        )
        file.write_text(page, encoding="utf-8")
        size = file.stat().st_size
        if size > export.MOST_BYTES:
            _tell(
                f"{stem.name}: the page {file.name} has {size / 1e6:.1f} MB, more than {export.MOST_BYTES / 1e6:.0f} MB; "
                "ask for fewer pictures (parameter `examples`)"
            )
    if missing := export.undescribed(notebook):
        _tell(f"{stem.name}: {missing} pictures without a description; show them as `fersyn.figures.Picture`")


def pages(file: Path) -> list[Path]:
    """The two pages of an executed notebook, wherever it was run, beside it; what it depends on stands in its own output, and in
    the JSON beside it where there is one.

    Raises:
        FersynError: no notebook, or one that was not executed.
    """
    try:
        notebook = privacy.scrub_notebook(nbformat.read(file, as_version=4))
    except Exception:  # nbformat raises many kinds
        raise FersynError(f"{file} is no notebook that can be read; name an executed .ipynb") from None
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise FersynError(
            f"{file} was not executed; run it first: papermill {file.name} out.ipynb, then fersyn report out.ipynb"
        )
    stem, made = file.with_suffix(""), notebook.metadata.get("papermill", {})
    parameters = dict(made.get("parameters", {}))
    content = {
        "schema": SCHEMA, "title": export.title_of(notebook), "parameters": parameters, "notebook": stem.name,
        "run": stem.name, "started": made.get("start_time", ""), "seconds": round(made.get("duration") or 0, 1),
        "status": "done", "private": bool(parameters.get("private")),
    }  # fmt: skip
    numbers = _beside(stem, ".json")
    content |= record.read(numbers) if numbers.is_file() else privacy.scrub_all(content)
    runs = sorted({stem.name, *(each.name.removesuffix(".json") for each in stem.parent.glob("*.json"))})
    _write_pages(notebook, stem, content, runs, keep=True)
    return [_beside(stem, suffix) for suffix in (".html", "-code.html")]


def _write_notebook(notebook: nbformat.NotebookNode, file: Path, private: bool) -> None:
    if private:
        notebook = copy.deepcopy(notebook)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**{privacy.BANNER}**"))
    nbformat.write(notebook, file)


def _beside(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _remove(stem: Path, suffixes: tuple[str, ...]) -> None:
    for suffix in suffixes:
        _beside(stem, suffix).unlink(missing_ok=True)


def _write_failure(
    source: Path, stem: Path, parameters: dict[str, Any], about: dict[str, Any], failure: NotebookFailed, private: bool
) -> None:
    """The ``.failed`` files; what an earlier success left at ``stem`` goes, for it is no longer what the kit makes."""
    notebook = failure.notebook or nbformat.read(source, as_version=4)
    if failure.notebook is None:  # the kernel never ran: there is no traceback to show but the reason itself
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**The kernel did not start.** {failure}"))
    title = export.title_of(notebook)
    # Papermill's banner links to an id in its own format; the traceback is in the page anyway.
    banner = "papermill-error-cell-tag"
    notebook.cells = [cell for cell in notebook.cells if banner not in cell.metadata.get("tags", [])]
    notebook = privacy.scrub_notebook(notebook)
    reason = privacy.shorten(privacy.scrub(str(failure)), 2_000)
    shared = provenance.collect(parameters, parameters.get("seed"))
    content = {"schema": SCHEMA, "title": title, **shared, **about, "status": "failed", "error": reason}
    content = privacy.scrub_all({**content, "private": private})
    _write_notebook(notebook, _beside(stem, ".failed.ipynb"), private)
    page = export.html(notebook, True, [HOME], f"Failed: {reason}", about=content, private=private)
    _beside(stem, ".failed.html").write_text(page, encoding="utf-8")
    write_json(_beside(stem, ".failed.json"), content, nan=False)
    _remove(stem, SUFFIXES)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.reporting.execute", description="Run one notebook.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("stem", type=Path, help="output path without suffix")
    parser.add_argument("--parameters", type=json.loads, default={}, help="JSON mapping")
    parser.add_argument("--runs", nargs="*", help="names of the report's runs (default: those beside STEM)")
    options = parser.parse_args(arguments)
    print(f"{options.stem.name}: running", flush=True)
    begun = time.monotonic()
    try:
        content = run(options.notebook, options.stem, options.parameters, options.runs)
    except NotebookFailed as failure:
        reason = (str(failure).strip() or "no message").splitlines()[0][:300]
        page = _beside(options.stem, ".failed.html")
        _tell(f"\nfersyn: notebook {options.stem.name} FAILED: {reason}\n        traceback: {page}\n")
        return 1
    print(f"{options.stem.name}: done in {content['seconds']:.0f} s", flush=True)
    measured.keep(options.stem, options.notebook.stem, time.monotonic() - begun)
    return 0


if __name__ == "__main__":
    sys.exit(main())
