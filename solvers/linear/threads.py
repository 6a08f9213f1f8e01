"""Threads that work on one solve inside compiled code: tickets, a barrier, atomic counters.

One thread leads. Helpers join when the system lets them, at the next ticket, so a helper that is late or
held up costs nothing. Who waits gives its core away at once: on a busy machine nobody spins.
"""

from __future__ import annotations

from typing import Any

from numba import extending, njit, types

FAST = {"reassoc", "contract", "nsz", "arcp"}
options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": FAST}

SYNC = 32
"""Length of the int64 array that the threads of a solve share; zeros at the start. [-]"""
_ARRIVED, _TURN, _HELPERS, _TICKET = 0, 8, 16, 24  # a cache line each
_MOST = 64  # threads, so that a ticket holds number and round
_PATIENCE = 100  # looks before a waiting thread gives its core away

_give_core_away: Any = types.ExternalFunction("sched_yield", types.int32())

_intrinsic: Any = extending.intrinsic


@_intrinsic
def _atomic_add(_, array, index, value):
    """Add to array[index]; returns the value before."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [arguments[1]]), arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), generate


@_intrinsic
def _atomic_load(_, array, index):
    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(data, [arguments[1]]), "seq_cst", 8)

    return types.int64(array, types.int64), generate


@_intrinsic
def _atomic_store(_, array, index, value):
    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.store_atomic(arguments[2], builder.gep(data, [arguments[1]]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@njit(**options)
def meet(sync, threads):
    """Wait until all threads of the round are here; what they wrote is then seen by all."""
    if threads == 1:
        return
    turn = _atomic_load(sync, _TURN)
    if _atomic_add(sync, _ARRIVED, 1) == threads - 1:
        _atomic_store(sync, _ARRIVED, 0)
        _atomic_store(sync, _TURN, turn + 1)
        return
    looks = 0
    while _atomic_load(sync, _TURN) == turn:
        looks += 1
        if looks > _PATIENCE:
            _give_core_away()


@njit(**options)
def join(sync):
    """Enter as a helper; returns its number, 1 for the first."""
    return _atomic_add(sync, _HELPERS, 1) + 1


@njit(**options)
def call_round(sync, number, most):
    """Begin round `number` (from 1) with the helpers who are here; returns the number of threads."""
    threads = min(1 + _atomic_load(sync, _HELPERS), most)
    _atomic_store(sync, _TICKET, number * _MOST + threads)
    return threads


@njit(**options)
def dismiss(sync):
    """Send the helpers away, also those who are still to come."""
    _atomic_store(sync, _TICKET, -1)


@njit(**options)
def next_round(sync, me, last):
    """Wait as helper for a round after `last` with a place for `me`; returns (round, threads), or (-1, 0)."""
    looks = 0
    while True:
        ticket = _atomic_load(sync, _TICKET)
        if ticket < 0:
            return -1, 0
        if ticket // _MOST > last and ticket % _MOST > me:
            return ticket // _MOST, ticket % _MOST
        looks += 1
        if looks > _PATIENCE:
            _give_core_away()
