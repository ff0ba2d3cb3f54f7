"""What worker and committee agree about when a device shows what it can do: windows, messages, the figures of a report."""
