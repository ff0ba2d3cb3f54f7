"""What cheating pays: strategies played against the verification policy and the money rules of the contracts."""
