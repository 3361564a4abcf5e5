"""Attachment to Istio: from the policy and the mesh file to resources that an operator applies."""
