"""The gateway: the only public HTTP entry. It owns the upload records and the files."""
