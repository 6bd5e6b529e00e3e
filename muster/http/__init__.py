"""What every service's HTTP server has beyond gunicorn: limits of bytes, time and places."""
