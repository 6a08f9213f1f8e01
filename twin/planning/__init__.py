"""Studies on a layout: steady solves, results, reports."""
