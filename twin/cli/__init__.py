"""The command line and the composition of the live system: the only part that knows every other."""
