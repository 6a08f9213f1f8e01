"""The layout of a room and the scene the solvers see."""
