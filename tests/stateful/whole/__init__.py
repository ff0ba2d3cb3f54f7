"""The whole suite of contracts against its models, taken together."""
