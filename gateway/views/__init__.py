"""HTTP to one call and back, by subject."""
