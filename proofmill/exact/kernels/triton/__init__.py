"""Fused kernels for GPUs, written in Triton; import only where the ``triton`` package is installed."""
