"""The judgement of a claimed output, one number at a time: what a contract computes in a terminal step, in plain integers."""
