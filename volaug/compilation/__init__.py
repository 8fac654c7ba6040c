"""Compile kernels before they are needed: in this process, in several, or for other processors."""
