"""Names: ids are unique, and what is referred to exists."""

from __future__ import annotations

from twin.model.check.report import Report
from twin.model.names import named

_RESERVED = {"plenum": "the plenum's pressure", "floor": "the raised floor", "ceiling": "the drop ceiling"}


def check_ids(report: Report) -> None:
    """Every id stands once and is not taken by the room."""
    seen: dict[str, str] = {}
    for kind, name, path in named(report.layout):
        if name in seen:
            report.error(
                f"{kind} '{name}'", f"{path}.id", name, f"{seen[name]} has this id already", "Ids are unique"
            )
        else:
            seen[name] = f"{kind} ({path})"
        if name in _RESERVED:
            report.error(
                f"{kind} '{name}'", f"{path}.id", name,
                f"the id '{name}' names {_RESERVED[name]}", "Choose another",
            )  # fmt: skip


def check_references(report: Report) -> None:
    """Racks, racklets, sensors and workloads refer to what exists."""
    layout = report.layout
    racks = [rack.id for rack in layout.racks]
    feeds = [feed.id for feed in layout.feeds]
    wanted = [
        *((f"rack '{r.id}'", f"racks[{n}].feed", r.feed, feeds, "feed") for n, r in enumerate(layout.racks)),
        *((f"racklet '{k.id}'", f"racklets[{n}].rack", k.rack, racks, "rack")
          for n, k in enumerate(layout.racklets)),
        *((f"sensor '{s.id}'", f"sensors[{n}].rack", s.rack, racks, "rack")
          for n, s in enumerate(layout.sensors)),
        *((f"workload '{w.id}'", f"workloads[{n}].rack", w.rack, racks, "rack")
          for n, w in enumerate(layout.workloads)),
    ]  # fmt: skip
    for subject, field, name, known, kind in wanted:
        if name is not None and name not in known and name not in report.dropped:
            choice = f"Use one of {', '.join(known)}" if known else f"Add a {kind} with this id"
            report.error(subject, field, name, f"there is no {kind} '{name}'", choice)
