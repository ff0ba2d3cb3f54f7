"""The GPU proof-of-compute: seeds go in; roots, openings and verdicts come out. It knows no chain and no HTTP.

``docs/CAPABILITY.md`` fixes every bit; ``definition`` is that text in plain Python integers.
"""
