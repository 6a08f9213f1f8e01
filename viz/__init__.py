"""The web face: Dash application, live 3-D viewer, figures."""
