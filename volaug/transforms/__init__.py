"""What a user picks: each step draws plain numbers, and what they do to a picture."""
