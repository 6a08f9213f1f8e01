"""Racklet Twin: digital twin and control system for server racks with racklets."""

__version__ = "0.1.0"
