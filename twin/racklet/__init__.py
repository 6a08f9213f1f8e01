"""Control laws of the racklet: power, cooling, limits. Light to import; no solver, no mesh."""
