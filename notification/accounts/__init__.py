"""What this service asks auth: who wants which emails, and what the email of an account says.

May import nothing else of this service.
"""
