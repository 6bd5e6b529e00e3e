"""`make k8s-check`: runs the overlay `dev`, on a cluster or else by podman, and checks it."""
