"""The loop: see, find what is critical, propose, try in the twin, commit, compare.

==============  ======================================================================================
module          what it holds
==============  ======================================================================================
``situation``   what is measured now, rack by rack, with what cannot be relied on
``plan``        moves, settings, candidates, the steps of a plan and its way back
``screening``   which racks are critical, which can receive, candidates ranked by a cheap influence model
``gate``        the limits that a trial in the twin must keep, and the time for trials
``review``      the trials: doing nothing, and each candidate against it
``commit``      step by step through actuator and platform, rolled back on failure
``watch``       inlets and the twin's error, as means over the last minutes
``memory``      what must not be touched again so soon, and the loop's settings
``record``      the decision as it is kept
``loop``        the loop itself, its modes and recovery
==============  ======================================================================================
"""
