"""Each library in its best settings: a file for each, whose functions take a problem."""
