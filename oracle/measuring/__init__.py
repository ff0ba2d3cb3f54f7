"""A member's part in measuring devices: it hands out nonces, takes the time, checks openings, and signs what it saw."""
