"""A real HTTP server on this machine, and registries that point to it."""

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mne_sbi.datasets import _eeg_fmri_files, _eeg_fmri_tarball
from mne_sbi.datasets._download import RegistryEntry


class Handler(BaseHTTPRequestHandler):
    """Serves what the test put into ``server.pages``; the path says how."""

    def do_GET(self):
        self.server.requests.append(self.path)
        body = self.server.pages.get(self.path)
        if body is None:
            self.send_error(404)
            return
        if self.path.startswith("/endless/"):
            self.send_endlessly(body)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.startswith("/cut/") or self.path in self.server.broken:
            # Announces everything, sends half, closes the connection.
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def send_endlessly(self, body):
        """Send a body again and again, at most 400 MB, until nobody listens."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while self.server.n_sent < 4 * 10**8:
                self.wfile.write(body)
                self.server.n_sent += len(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server with ``pages`` (dict), ``broken``, ``requests`` (lists) and ``url``."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.pages, httpd.requests, httpd.broken, httpd.n_sent = {}, [], [], 0
    httpd.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def serve_set(server, monkeypatch):
    """A function that serves files as a set, in place of what is registered."""
    registries = {name: () for name in _eeg_fmri_files.SETS}
    monkeypatch.setattr(_eeg_fmri_files, "read_set", registries.__getitem__)
    monkeypatch.setattr(_eeg_fmri_tarball, "BASE_URL", server.url)

    def serve(name, files):
        """Serve ``{file: (part, content)}``."""
        entries = []
        for file, (part, content) in files.items():
            server.pages[f"/{file}"] = content
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            url = f"{server.url}/{file}"
            entry = RegistryEntry(file, (name,), len(content), "", "CC0", url, md5)
            entries.append((part, entry))
        registries[name] = tuple(entries)
        return server

    return serve
