"""How kernels are compiled and kept, and the vocabulary of their vector code."""
