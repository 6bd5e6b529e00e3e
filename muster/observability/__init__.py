"""What every process tells about itself: log lines, the trace of a request, spans.

May import contracts only.
"""
