"""Device protocols."""
