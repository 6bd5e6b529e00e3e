"""`make images-check`: builds the five images, runs the stack with them, checks both."""
