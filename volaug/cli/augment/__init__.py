"""What `volaug augment` does and prints."""
