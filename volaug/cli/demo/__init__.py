"""`volaug demo`: a brain, seven strategies, their files, a sheet of pictures, a table of times."""
