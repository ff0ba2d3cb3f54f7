"""Continuing a prompt: greedy or sampled with a seed, many requests at once, each answer a function of its request alone."""
