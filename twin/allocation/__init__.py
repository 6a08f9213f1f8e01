"""The loop: screen, propose, try in the twin, commit."""
