"""Numerical solvers: arrays in, arrays out; they know no rack and no file."""

from pathlib import Path

from solvers.kernel_cache import keep_kernels

keep_kernels(Path(__file__).parent)  # here, because it must go before the first kernel is defined
