"""Pipelines: what they draw for a sample, and how it is applied and recorded."""
