"""Attachment to Envoy Gateway: from the policy and the mesh file to resources of its API."""
