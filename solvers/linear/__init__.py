"""Linear solvers: multigrid-preconditioned conjugate gradients on masked grids."""
