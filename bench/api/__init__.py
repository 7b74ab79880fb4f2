"""The Python API: scoring any two label maps, and records as DataFrames. The verbs are thin on it.

`import bench` offers its functions by name; docs/api.md shows them.
"""
