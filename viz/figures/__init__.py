"""Pure functions from what is known to plotly figures; no browser, no server."""
