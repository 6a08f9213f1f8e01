"""One module a case; each holds a `Case` named ``CASE``."""
