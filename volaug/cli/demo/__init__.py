"""`volaug demo`: a brain, six warps, their files, a sheet of pictures and a table of times."""
