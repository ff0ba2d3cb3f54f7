"""Models as data: kinds of operators, programs, manifests, and the interpreter that defines what a program computes."""
