"""Coolant loops: fluids, friction, heat transfer, and the network of pipes, pumps and exchangers."""
