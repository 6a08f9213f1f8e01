"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run: a red test is red for everybody, and a found example is kept as @example.
settings.register_profile("racklet", derandomize=True, deadline=None)
settings.load_profile("racklet")
