"""The checks, one module for each family. :mod:`extproc.review.lint.registry` lists them all."""
