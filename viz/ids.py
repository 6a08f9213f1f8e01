"""Names of the page's elements that Python and the browser both speak of."""

from __future__ import annotations

from typing import Any

VIEWER = "viewer"
MOUNTED = "mounted"
THEME = "theme"
SELECTED_RACK = "selected-rack"
DECISIONS_SEEN = "decisions-seen"
SCENE_NUMBER = "scene-number"
VIEWER_MODE = "viewer-mode"
CHART = "rack-chart"
CHART_SPAN = "chart-span"
CHART_CLOCK = "chart-clock"
FALLBACK = "fallback-figure"
FALLBACK_CLOCK = "fallback-clock"
DECISION_LIST = "decision-list"
DECISION_ANSWER = "decision-answer"
DECIDE = "decide"
COOLANT = "coolant"
SELECTED_BRANCH = "selected-branch"
BRANCH_CHART = "branch-chart"
BRANCH_SPAN = "branch-span"
BRANCH_CLOCK = "branch-clock"


def attributes(**values: str) -> dict[str, Any]:
    """Return HTML attributes whose names have a hyphen: ``aria_label="x"`` becomes ``aria-label``."""
    return {name.replace("_", "-"): value for name, value in values.items()}
