"""A worker's part in being measured: all its devices work in the same window, and show samples of what they did."""
