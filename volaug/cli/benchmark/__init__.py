"""`volaug benchmark`: how fast this machine is."""
