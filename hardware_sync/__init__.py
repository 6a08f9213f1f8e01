"""Adapters to the world: mesh, agents, devices, virtualization platforms."""
