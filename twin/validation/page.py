"""The page of the suite: every case with its figures, grid, closure, and what it leaves out.

What a case reached is kept in ``results.json`` beside its figures, so that running one case anew rewrites its
part of the page and leaves the others as they were.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twin import __version__
from twin.validation.case import HOLDS, Case, Quantity, Result
from twin.validation.store import read_store, write_store, write_text

_HEAD = """\
# Validation

Every number that the solver is asked for, beside the number that it reaches. `racklet validate --full` runs
all of it anew, `racklet validate NAME` one case, `make test` a quick form of each. This page is written by
`racklet validate --full --docs docs`.

A case passes when every quantity of its first table does. What stands under *Beside it* has no say in the
verdict; a case that is *not run* has none. No constant of the solver was fitted to any of these cases.
"""


def record(case: Case, result: Result, wall_s: float, full: bool) -> dict[str, Any]:
    """Return what the page keeps of a case that has run.

    Parameters
    ----------
    case : Case
    result : Result
    wall_s : float
        [s]
    full : bool

    Returns
    -------
    dict
        Plain enough for JSON.
    """
    return {
        "passed": result.passed,
        "full": full,
        "wall_s": round(wall_s, 1),
        "version": __version__,
        "grid": result.grid,
        "quantities": [_plain(quantity) for quantity in result.quantities],
        "beside": [_plain(quantity) for quantity in result.beside],
        "figures": [{"name": figure.name, "caption": figure.caption} for figure in result.figures],
        "notes": list(result.notes),
    }


def finite(value: float) -> float | None:
    """Return a number as JSON has it: None if it is not finite.

    Parameters
    ----------
    value : float

    Returns
    -------
    float or None
    """
    return float(value) if math.isfinite(value) else None


def _plain(quantity: Quantity) -> dict[str, Any]:
    return dataclasses.asdict(quantity) | {
        "asked": finite(quantity.asked),
        "reached": finite(quantity.reached),
    }


def write_page(folder: Path, figures: str, cases: Sequence[Case], records: dict[str, dict[str, Any]]) -> Path:
    """Write ``validation.md``: the cases just run, and those that ran before into the same folder.

    Parameters
    ----------
    folder : Path
    figures : str
        Folder of the figures, relative to `folder`.
    cases : sequence of Case
        The whole suite, in its order.
    records : dict
        Name -> what `record` gave, of the cases just run.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    OutsideError : the page cannot be written, or what ran before cannot be read.
    InputError : what ran before is damaged.
    """
    held = read_store(folder / figures) | records
    kept = {case.name: held[case.name] for case in cases if case.name in held}
    write_store(folder / figures, kept)
    parts = [_HEAD, _overview(cases, kept)]
    parts += [_section(case, kept[case.name], figures) for case in cases if case.name in kept]
    page = folder / "validation.md"
    write_text(page, "\n".join(parts))
    return page


def _overview(cases: Iterable[Case], records: dict[str, dict[str, Any]]) -> str:
    rows = ["| case | | quantities | passed | time |", "|---|---|---|---|---|"]
    for case in cases:
        body = records.get(case.name)
        if body is None:
            rows.append(f"| {_cell(case.title)} | not run | - | - | - |")
            continue
        good = sum(quantity["passed"] for quantity in body["quantities"])
        word = "pass" if body["passed"] else "**fail**"
        quick = "" if body["full"] else " (quick form)"
        rows.append(
            f"| [{_cell(case.title)}](#{_anchor(case.title)}) | {word}{quick} | {len(body['quantities'])} "
            f"| {good} | {body['wall_s']:.0f} s |"
        )
    return "\n".join(rows) + "\n"


def _section(case: Case, body: dict[str, Any], figures: str) -> str:
    lines = [
        f"## {case.title}",
        "",
        f"`racklet validate {case.name}{' --full' if body['full'] else ''}`",
        "",
        f"- **Source**: {case.source}",
        f"- **Closure and numerics**: {case.closure}",
        f"- **Grid**: {body['grid'] or '-'}",
        f"- **Modelled**: {case.modelled}",
        f"- **Not modelled**: {case.not_modelled}",
        "",
        *_table(body["quantities"], verdict=True),
    ]
    if body["beside"]:
        lines += ["", "*Beside it*", "", *_table(body["beside"], verdict=False)]
    for note in body["notes"]:
        lines += ["", note]
    for figure in body["figures"]:
        path = f"{figures}/{figure['name']}.png" if figures != "." else f"{figure['name']}.png"
        lines += ["", f"![{figure['caption']}]({path})", "", f"*{figure['caption']}*"]
    return "\n".join(lines) + "\n"


def _table(quantities: list[dict[str, Any]], verdict: bool) -> list[str]:
    rows = ["| quantity | asked | reached | unit | rule |" + (" |" if verdict else "")]
    rows.append("|---|---|---|---|---|" + ("---|" if verdict else ""))
    for quantity in quantities:
        end = f" {'pass' if quantity['passed'] else '**fail**'} |" if verdict else ""
        rows.append(
            f"| {_cell(quantity['name'])} | {number(quantity['asked'], quantity['rule'])} "
            f"| {number(quantity['reached'], quantity['rule'])} "
            f"| {_cell(quantity['unit'])} | {_cell(quantity['rule'])} |{end}"
        )
    return rows


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def number(value: float | None, rule: str = "") -> str:
    """Return a number with four digits, as people write it; yes or no; ``none`` for one not finite.

    Parameters
    ----------
    value : float or None
    rule : str    Of the quantity.

    Returns
    -------
    str
    """
    if rule == HOLDS:
        return "yes" if value else "no"
    if value is None or not math.isfinite(value):
        return "none"
    return f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"


def difference(quantity: Quantity) -> str:
    """Return how far off a quantity is: per cent of a published value, share of a limit.

    Parameters
    ----------
    quantity : Quantity

    Returns
    -------
    str
    """
    if not quantity.asked or quantity.rule == HOLDS:
        return ""
    if quantity.rule.startswith("within"):
        return f"{100 * (quantity.reached / quantity.asked - 1):+.2f} %"
    return f"{100 * quantity.reached / quantity.asked:.0f} % of it"


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")
