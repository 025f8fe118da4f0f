"""The contract suite: checks by name, and the cases of a connector. No test framework in it."""
