"""How fast the solver is on this machine: against its memory, against the clock, against OpenFOAM.

measure.py        times, memory triad, peak memory of a process of its own
rooms.py          rooms of a wanted size and a flow to start from
kernels.py        every kernel of a step: what it must move, how long it takes
steps.py          steps and transients against the clock;  steady.py  settled rooms
first_call.py     compilation
peer_room.py      a room that OpenFOAM can solve as well; openfoam_case.py writes it, openfoam.py runs it
coolant.py        networks of halls (halls.py), beside pandapipes (pipes.py); cold plates (plates.py)
peers.py          both solvers on that room, side by side
bench.py          all of it, and what was asked of it
"""
