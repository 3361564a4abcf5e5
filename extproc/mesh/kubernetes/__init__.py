"""Attachment without a mesh: a gateway with its sidecar, and the cells, as Kubernetes resources."""
