"""All ways that are barred, one after the other: a single unit tells whether one of them opened."""

from __future__ import annotations

from . import (
    cache,
    data_root,
    descriptors,
    left,
    memory,
    network,
    objects,
    predictions,
    processes,
    siblings,
)
from .method import Thief

WAYS = (
    *(siblings.Method, cache.Method, data_root.Method, descriptors.Method, processes.Method),
    *(memory.ByFile, memory.ByCall, memory.ByPtrace, network.Tcp, network.Abstract),
    *(objects.Method, predictions.Method, left.FromEmbeddings),
)


class Method(Thief):
    def __init__(self, options, setting):
        super().__init__(options, setting)
        self.ways = [way(options, setting) for way in WAYS]

    def look(self, volume):
        """What one of them stumbles over does not stop the others."""
        for way in self.ways:
            try:
                yield from way.look(volume)
            except Exception as error:
                print(type(way).__module__, "stumbled:", type(error).__name__, error)
