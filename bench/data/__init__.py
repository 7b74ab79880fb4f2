"""Volumes: read from any common format, checked, stored once, split, cut into slices."""
