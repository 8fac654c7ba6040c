"""What volaug costs: asv's suite, and a table of it beside its rivals (`benchmarks.rivals`)."""
