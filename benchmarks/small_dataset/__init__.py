"""Does augmentation help with one training case? Two heads, of which one trains and one tests."""
