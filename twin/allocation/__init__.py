"""The loop: see, find what is critical, propose, try in the twin, commit, compare.

==============  ======================================================================================
module          what it holds
==============  ======================================================================================
``situation``   what is measured now, rack by rack, with what cannot be relied on
``plan``        moves, settings, candidates, the steps of a plan and its way back
``screening``   which racks are critical, which can receive, candidates ranked by a cheap influence model
``gate``        the trial in the twin: time budget, verdicts
``commit``      step by step through actuator and platform, rolled back on failure
``loop``        the loop itself, its modes, memory and recovery
==============  ======================================================================================
"""
