"""What a notebook writes down: its provenance on the page, and its numbers as JSON beside its HTML."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.reporting import privacy, provenance

SCHEMA = 2  # 1, until scores became one long table, is read by scripts/same_numbers.py alone
ROWS = "scores"  # thousands of rows: each stands on a line of the JSON, and none on the page
# What a run of a notebook leaves beside its name, and what it leaves instead when it fails.
SUFFIXES = (".ipynb", ".html", "-code.html", ".json")
FAILED_SUFFIXES = (".failed.ipynb", ".failed.html", ".failed.json")
CREDIT = ("dataset", "licence", "attribution")  # what a page says of a table
TEMPLATES = Path(__file__).parent / "templates"


def read(file: Path) -> dict[str, Any]:
    """The record of a run, of its JSON file or its page.

    Raises:
        FersynError: the file cannot be read, or is none of this kind.
    """
    try:
        page = file.suffix == ".html"
        content = provenance.of_page(file) if page else json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FersynError(f"{file} cannot be read as JSON ({error}); make the report again") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise FersynError(f"{file} holds no run of a notebook; name a JSON file beside a report's pages")
    if content["schema"] != SCHEMA:
        raise FersynError(f"{file} has schema {content['schema']}, this fersyn reads {SCHEMA}; make the report again")
    return content


def plain(value: Any) -> Any:
    """``value`` with NumPy scalars and arrays as Python's, NaN and infinities as None, keys as strings."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not (value - value == 0):
        return None
    return value


def render(template: str, filters: Mapping[str, Any] | None = None, **values: Any) -> str:
    """One of the pages' HTML templates (`templates/*.html.j2`) filled in; texts are escaped.

    Filters: `json`, `listed` ("torch 2.6, numpy 2" of a mapping), `coded` (what stands in backticks as code), `unbroken` (and no
    line ends within a hyphenated word), and `filters`.
    """
    import jinja2  # not for those who only read records
    from markupsafe import Markup

    from fersyn.figures.table import coded, unbroken

    found = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    found.filters |= {
        "json": json.dumps,
        "coded": lambda text: Markup(coded(str(text))),
        "unbroken": lambda text: Markup(unbroken(str(text))),
        "listed": lambda each: ", ".join(f"{name} {own}" for name, own in each.items()),
    }
    found.filters |= filters or {}
    return found.get_template(template).render(values)


def _left_out(tables: Iterable[Any], private: bool) -> list[str]:
    """What a page with pictures of these tables has to say about faces that it does not show, or must not."""
    from fersyn.figures.faces import pictured, privacy_note  # pandas: not for those who only read records

    rows = [table.rows for table in tables if hasattr(table, "rows")]
    found = (privacy_note(each, pictured(each, private), private) for each in rows)
    return list(dict.fromkeys(note for note in found if note))


class Record:
    """One run of a notebook: its first output shows what it depends on; :meth:`save` writes what it found.

    >>> record = Record("Preprocessing", parameters=dict(table="data/laptop/rendered", seed=0), table=table)
    >>> record                                  # the provenance, as the cell's output
    >>> record.key("Rank-1", 98.2, "%")         # a key figure: the index page shows it
    >>> record.save("reports/laptop/01_preprocessing-rendered.json")
    """

    def __init__(
        self,
        title: str,
        parameters: Mapping[str, Any],
        tables: Mapping[str, Any] | None = None,
        weights: Sequence[Mapping[str, Any]] = (),
    ):
        """Collects provenance now.

        Args:
            title: what the index page calls this run.
            parameters: the resolved parameters of the notebook; ``seed`` is shown apart if there is one.
            tables: face tables in use, by name; their fingerprints, licences and attributions go along.
            weights: pre-trained weights behind the numbers, as `fersyn.weights.about` gives them.
        """
        self.started = time.time()
        tables = dict(tables or {})
        marks = {name: table.fingerprint for name, table in tables.items()}
        self.content: dict[str, Any] = {
            "schema": SCHEMA,
            "title": title,
            **provenance.collect(dict(parameters), parameters.get("seed"), marks),
            "weights": [dict(entry) for entry in weights],
            "key_figures": [],
            "metrics": {},
            "scores": {"columns": [], "data": []},
            "summary": [],
            "differences": [],
            "results": {},
            "thumbnails": [],
            "notes": [
                *(f"{name}: {table.info['instead']}" for name, table in tables.items() if table.info.get("instead")),
                *_left_out(tables.values(), bool(parameters.get("private", False))),
            ],
            "credits": [{key: table.info.get(key) or "" for key in CREDIT} for table in tables.values()],
        }

    def key(self, name: str, value: Any, unit: str = "", digits: int = 1, spread: float | None = None) -> None:
        """Adds a key figure. ``value`` is a number or a short text; ``spread`` is shown as ± (same unit)."""
        figure = {"name": name, "value": value, "unit": unit, "digits": digits, "spread": spread}
        self.content["key_figures"].append(plain(figure))

    def scores(self, scores: Any = None, summary: Any = None, differences: Any = None) -> None:
        """Adds what was measured to that in the JSON already.

        Args:
            scores: `evaluation.scores.Scores`; of its rows those that are not there yet, values to seven digits.
            summary: of `scores.summarise`.
            differences: of `scores.differences`.
        """
        import pandas as pd  # not for those who only read records

        from fersyn.evaluation.scores import METRICS

        frames = {"summary": summary, "differences": differences}
        if scores is not None and len(scores.rows):
            known = self.content["scores"]
            before = [pd.DataFrame(known["data"], columns=known["columns"])] if known["data"] else []
            both = pd.concat([*before, scores.rows], ignore_index=True)
            both["value"] = [float(f"{value:.7g}") for value in both["value"].astype(float)]
            both = both.drop_duplicates().astype(object)
            self.content["scores"] = {"columns": list(both), "data": both.where(both.notna(), None).to_numpy().tolist()}
            frames["scores"] = scores.rows
        for name, frame in frames.items():
            if frame is None or not len(frame):
                continue
            occur = {metric: METRICS[metric].plain() for metric in dict.fromkeys(frame["metric"])}
            self.content["metrics"] |= {metric: plain(about) for metric, about in occur.items()}
            if name != "scores":
                known = self.content[name]
                known += [row for row in plain(frame.to_dict("records")) if row not in known]

    def result(self, name: str, value: Any) -> None:
        """Keeps other facts (scalars, lists, nested dicts) under ``name`` in the JSON."""
        self.content["results"][name] = plain(value)

    def thumbnail(self, picture: Any) -> None:
        """Adds a strip for the index page: a :class:`fersyn.figures.Picture`, some 10 kB; None adds nothing."""
        if picture is not None:
            self.content["thumbnails"].append(
                {"src": picture.data_uri(), "alt": picture.alt, "names": list(picture.names)}
            )

    def note(self, text: str) -> None:
        """Adds a sentence that the index page shows on the card (too few people ...); empty text and what is noted
        already add nothing. Faces that are left out of the page are noted from the start.
        """
        if text and text not in self.content["notes"]:
            self.content["notes"].append(text)

    def save(self, path: str | Path) -> None:
        """Writes the JSON; an empty ``path`` (exploring by hand) writes nothing."""
        if not str(path):
            return
        self.content["seconds_in_cells"] = round(time.time() - self.started, 1)
        write_json(Path(path), privacy.scrub_all(plain(self.content)), nan=False, rows=ROWS)

    def _repr_html_(self) -> str:
        return render("provenance.html.j2", **privacy.scrub_all(plain(self.content)))

    def __repr__(self) -> str:
        return f"<Record {self.content['title']!r}: {len(self.content['key_figures'])} key figures>"
