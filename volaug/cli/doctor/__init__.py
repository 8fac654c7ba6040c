"""`volaug doctor`: whether volaug works here, and what to do if it does not."""
