"""Kernels in C++, compiled on this machine at first use: the fastest exact inference on a processor."""
