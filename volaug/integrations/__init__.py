"""Pipelines as transforms of other libraries, each in a module that imports its library."""
