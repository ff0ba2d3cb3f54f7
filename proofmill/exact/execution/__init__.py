"""Running programs fast: the plan that fuses operators, the executor, and the cache of keys and values."""
