"""What a report took when it was last made on this machine, in words: on its pages, and for the README by ``fersyn results``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fersyn.reporting import record


def duration(seconds: float) -> str:
    """``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"


def age(started: str, newest: str) -> str:
    """How much older what began at one time (ISO) is than what began at another: ``3 h``, ``2 days``; empty where that is not known."""
    try:
        hours = (datetime.fromisoformat(newest) - datetime.fromisoformat(started)).total_seconds() / 3600
    except (TypeError, ValueError):
        return ""
    if hours < 2:
        return duration(max(0, round(hours * 60)) * 60)
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def trainings(content: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of each training that a run's JSON tells of, by its name; of those that took any."""
    results = content.get("results") or {}
    told = {**results, **(results.get("runs") or {})}
    runs = {name: about for name, about in told.items() if isinstance(about, Mapping) and "steps" in about}
    return {name: float(about["seconds"]) for name, about in runs.items() if about.get("seconds")}


def told(content: Mapping[str, Any]) -> str:
    """What a page says: how long the notebook took when this page was made, where, and how long its trainings had taken; empty
    where that is not known.
    """
    if not content.get("seconds"):
        return ""
    where = f" on {content['device']}" if content.get("device") else ""
    text, each = f"Measured: this notebook took {duration(content['seconds'])}{where}", trainings(content)
    if each:
        every = ", ".join(f"{name} {duration(seconds)}" for name, seconds in each.items())
        text += f"; its trainings, before it, {duration(sum(each.values()))} ({every})"
    return f"{text}."


def of_report(folder: Path) -> str:
    """The same of a whole report, a line for the README; empty where no page was made."""
    made = {
        file.stem: record.read(file) for file in sorted(folder.glob("[0-9][0-9]_*.json")) if ".failed" not in file.name
    }
    own = {name: about["seconds"] for name, about in made.items() if about.get("seconds")}
    if not own:
        return ""
    learnt = {name: seconds for about in made.values() for name, seconds in trainings(about).items()}
    devices = " and ".join(dict.fromkeys(about["device"] for about in made.values() if about.get("device")))
    every = ", ".join(f"{name.replace('_', ' ')} {duration(seconds)}" for name, seconds in own.items())
    return (
        f"- times, measured on {devices}: notebooks {duration(sum(own.values()))} ({every}); trainings "
        f"{duration(sum(learnt.values()))}; several run at once"
    )
