"""Racklet agents and the emulated plant behind them."""
