"""Pictures of samples: `volaug.plot`, and what the demo draws with."""
