"""Cold plates and chip stacks: specs and 3D-ICE files in, temperatures, pressure drop and pictures out."""
