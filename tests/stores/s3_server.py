"""A server of the S3 protocol on this machine: moto's, run by the Python that moto is installed for.

One request is answered at a time, so that a conditional write is atomic as in S3. The first line of output is the
endpoint. Everything is kept in memory, and access keys are not checked.
"""

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from moto.server import DomainDispatcherApplication, create_backend_app


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Print nothing of a request."""


if __name__ == "__main__":
    with make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), handler_class=_Quiet) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        sys.exit(server.serve_forever())
