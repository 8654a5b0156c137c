"""What test/run-checks is made of."""
