"""`volaug info`: what a file holds, what a pipeline does, what was drawn."""
