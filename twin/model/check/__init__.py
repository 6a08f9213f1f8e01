"""Faults that only show when a layout's parts are held against each other: places, references, sums."""

from __future__ import annotations

from twin.errors import Finding
from twin.model.check.equipment import check_coolers, check_ducts, check_racklets, check_racks
from twin.model.check.loops import check_loops
from twin.model.check.places import (
    check_gaps,
    check_holes,
    check_openings,
    check_overlaps,
    check_places,
    check_storeys,
)
from twin.model.check.references import check_ids, check_references
from twin.model.check.report import Report
from twin.model.check.sums import check_feeds, check_flows, check_workloads
from twin.model.schema import Layout

__all__ = ["check_layout"]


def check_layout(
    layout: Layout, file: str = "", dropped: frozenset[str] = frozenset(), settles: bool = False
) -> list[Finding]:
    """Hold a layout's parts against each other.

    Parameters
    ----------
    layout : Layout
    file : str                   Names the layout in the findings.
    dropped : frozenset of str   Ids that exist in the file but could not be read: no fault to refer to them.
    settles : bool               The room must have a steady state: too little cooling is an error.

    Returns
    -------
    list of Finding
        Errors and warnings, without lines; empty for a sound layout.
    """
    report = Report(layout, file, dropped, settles)
    for rule in (
        check_ids,
        check_references,
        check_racks,
        check_racklets,
        check_coolers,
        check_ducts,
        check_loops,
        check_storeys,
        check_places,
        check_overlaps,
        check_gaps,
        check_holes,
        check_openings,
        check_feeds,
        check_flows,
        check_workloads,
    ):
        rule(report)
    return report.findings
