"""A stand-in for a cluster, where there is none: the manifests by `podman kube play`.

What podman does not know is translated, or refused by name; what it can't show is said.
May import the rest of `tools.k8s_check`.
"""
