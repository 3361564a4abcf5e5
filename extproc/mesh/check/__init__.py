"""The leak linter: tells whether an Envoy, or an Istio mesh, as it is configured keeps to what the policy decides.

Reads a configuration in whatever form it comes (:mod:`extproc.mesh.check.node` is one value in it with its path) and
judges it against the policy and the mesh file by rules, each of which names one way in which a request could reach a
region that nobody permitted. Changes nothing and asks nobody but an admin port.
"""
