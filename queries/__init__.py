"""The queries service: metrics and reads over the employment database."""
