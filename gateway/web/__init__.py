"""The web page: HTML for people, over the same calls as the API and the API itself for scripts."""
