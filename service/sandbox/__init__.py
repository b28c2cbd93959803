"""A local server that speaks Runware's API, makes real clips and goes wrong on request.

It knows nothing of the service that it tests: its only contract is Runware's. Nothing is imported here, so
that its options can be read without the libraries that make clips.
"""
