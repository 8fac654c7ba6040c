"""Transforms: each step draws plain numbers, and an operation applies them to an image."""
