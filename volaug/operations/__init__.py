"""What steps draw: plain numbers, and what they do to a sample."""
