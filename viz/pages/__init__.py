"""The pages: each module has ``layout`` and ``register`` (thin callbacks)."""
