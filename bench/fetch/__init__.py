"""Files from elsewhere: downloaded, checked and unpacked, or not there at all.

    archive = download(RemoteFile(url, bytes=..., sha256=...), folder)
    unpack(archive, folder / "raw")

Cheap to import: requests, rich and filelock are loaded by the first call that needs them.
"""

from bench.fetch.download import download
from bench.fetch.progress import Meter, Silent, terminal_meter
from bench.fetch.remote import RemoteFile
from bench.fetch.unpack import unpack

__all__ = ["Meter", "RemoteFile", "Silent", "download", "terminal_meter", "unpack"]
