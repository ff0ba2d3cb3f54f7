"""The models that ship in Python packages: where their files are, which model they make, what it must answer."""
