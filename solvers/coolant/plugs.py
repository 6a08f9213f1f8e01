"""Plug flow: parcels of coolant that move through pipes without mixing, warmed and cooled on the way.

A pipe holds parcels in a row from its end `a` to its end `b`. In a step as much leaves at one end as comes in
at the other. How long each parcel, and each part of it, spends in the pipe is known, and so is its heat:

    dh/dt = gain - rate (h - h_around)                                                            (C22)

is integrated along every path, whether the step is shorter or longer than the way through the pipe: heat that
is spread along the pipe is exact, a loss to the surroundings within (rate t)^2 / 12 of it, t the shorter of
step and way. A front is carried without numerical diffusion; what leaves is averaged over one step.
"""

from __future__ import annotations

import math

from numba import njit

from solvers.linear.kernels import options

PARCELS = 48
"""Parcels a pipe can hold; the two that differ least are joined when it is full. [-]"""
_SAME = 0.5  # J/kg, about 0.1 mK: parcels as alike as this are joined at once


@njit(inline="always")
def _after(h, gain, rate, around, time):
    """Enthalpy of a parcel after a time. (C22)."""
    if rate <= 0.0:
        return h + gain * time
    level = around + gain / rate
    return level + (h - level) * math.exp(-rate * time)


@njit(inline="always")
def _after_mean(h, gain, rate, around, start, end):
    """Mean over times from start to end of `_after`."""
    if rate <= 0.0:
        return h + gain * 0.5 * (start + end)
    level = around + gain / rate
    span = rate * (end - start)
    mean = math.exp(-rate * start) * (1.0 - 0.5 * span if span < 1e-6 else -math.expm1(-span) / span)
    return level + (h - level) * mean


@njit(**options)
def flow_out(mass, h, count, m_flow, dt, gain, rate, around, alpha, beta, alpha_in, beta_in):
    """Let a step's coolant leave every pipe and age the rest.

    The mean enthalpy of what leaves is ``alpha + beta h_in``; what comes in and stays ends with
    ``alpha_in + beta_in h_in``.

    Parameters
    ----------
    mass, h : float64[pipes, PARCELS]    From end a to end b; changed. [kg, J/kg]
    count : int64[pipes]    Parcels; changed.
    m_flow : float64[pipes]    Positive from a to b. [kg/s]
    dt : float    [s]
    gain : float64[pipes]    Heat over the mass inside. [W/kg]
    rate : float64[pipes]    UA / (mass cp). [1/s]
    around : float64[pipes]    Enthalpy at the temperature around. [J/kg]
    alpha, beta, alpha_in, beta_in : float64[pipes]    Overwritten. [J/kg, -]
    """
    for i in range(count.size):
        n = count[i]
        inside = 0.0
        for k in range(n):
            inside += mass[i, k]
        speed = abs(m_flow[i])
        moved = speed * dt
        forward = m_flow[i] >= 0.0
        leaving = min(moved, inside)
        gone, carried = 0.0, 0.0
        while n > 0 and leaving - gone > 1e-9 * leaving:
            k = n - 1 if forward else 0
            piece = min(mass[i, k], leaving - gone)
            here = _after_mean(h[i, k], gain[i], rate[i], around[i], gone / speed, (gone + piece) / speed)
            carried += piece * here
            gone += piece
            if piece >= mass[i, k] * (1.0 - 1e-12):
                n -= 1
                if not forward:
                    for j in range(n):
                        mass[i, j], h[i, j] = mass[i, j + 1], h[i, j + 1]
            else:
                mass[i, k] -= piece
        for k in range(n):
            h[i, k] = _after(h[i, k], gain[i], rate[i], around[i], dt)
        count[i] = n
        through = max(moved - inside, 0.0)
        stay = (moved - through) / speed if speed > 0.0 else 0.0  # longest time of what came in and stays
        fresh = _after_mean(0.0, gain[i], rate[i], around[i], 0.0, stay)
        beta_in[i] = _after_mean(1.0, gain[i], rate[i], around[i], 0.0, stay) - fresh
        alpha_in[i] = fresh
        if moved > 0.0:
            passed = _after(0.0, gain[i], rate[i], around[i], inside / speed)
            keeps = _after(1.0, gain[i], rate[i], around[i], inside / speed) - passed
            alpha[i] = (carried + through * passed) / moved
            beta[i] = through * keeps / moved
        else:
            alpha[i], beta[i] = 0.0, 0.0


@njit(**options)
def flow_in(mass, h, count, m_flow, inside, h_new):
    """Let a step's coolant into every pipe, after `flow_out`.

    Parameters
    ----------
    mass, h, count : see `flow_out`
    m_flow : float64[pipes]
    inside : float64[pipes]    Mass that each pipe holds. [kg]
    h_new : float64[pipes]    Enthalpy of what came in and stays. [J/kg]
    """
    for i in range(count.size):
        n = count[i]
        comes = inside[i]
        for k in range(n):
            comes -= mass[i, k]
        if comes <= 1e-12 * inside[i]:
            continue
        first = m_flow[i] >= 0.0
        end = 0 if first else n - 1
        if n > 0 and abs(h[i, end] - h_new[i]) <= _SAME:
            total = mass[i, end] + comes
            h[i, end] += comes / total * (h_new[i] - h[i, end])
            mass[i, end] = total
            continue
        if n == mass.shape[1]:
            n = _join(mass, h, i, n)
        if first:
            for j in range(n, 0, -1):
                mass[i, j], h[i, j] = mass[i, j - 1], h[i, j - 1]
            mass[i, 0], h[i, 0] = comes, h_new[i]
        else:
            mass[i, n], h[i, n] = comes, h_new[i]
        count[i] = n + 1


@njit(inline="always")
def _join(mass, h, i, n):
    """Join the two neighbours whose mixing changes least; returns how many are left."""
    best, at = math.inf, 0
    for k in range(n - 1):
        difference = h[i, k + 1] - h[i, k]
        cost = mass[i, k] * mass[i, k + 1] / (mass[i, k] + mass[i, k + 1]) * difference * difference
        if cost < best:
            best, at = cost, k
    total = mass[i, at] + mass[i, at + 1]
    h[i, at] += mass[i, at + 1] / total * (h[i, at + 1] - h[i, at])
    mass[i, at] = total
    for k in range(at + 1, n - 1):
        mass[i, k], h[i, k] = mass[i, k + 1], h[i, k + 1]
    return n - 1
