"""Virtualization platforms that move real load."""
