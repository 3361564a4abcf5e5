"""The sidecar in a proxy's own pod, for the meshes whose pods somebody else makes: Istio and Envoy Gateway."""
