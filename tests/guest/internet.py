"""The little internet that the guest is shown, in three network namespaces:

    host 192.0.2.2 ---- 192.0.2.1 router 198.51.100.1 ---- 198.51.100.2 server

The host is the namespace that the program runs in, where postern belongs.  The server answers DNS
and HTTP.
"""

import hashlib
import http.server
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import dnsd     # noqa: E402
import netns    # noqa: E402

HOST, ROUTER, SERVER = "192.0.2.2", "192.0.2.1", "198.51.100.2"
SITE = "www.example.org"
FILE_SIZE = 64 << 20
CHUNK = 1 << 20


class Web(http.server.ThreadingHTTPServer):
    """Serves one file of random bytes.  Half way through it stops, sets `half` and waits for
    `resume`, so that a look at the transfer finds it running."""

    daemon_threads = True

    def __init__(self, address):
        self.content = os.urandom(FILE_SIZE)
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.half = threading.Event()
        self.resume = threading.Event()
        super().__init__((address, 80), WebHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(FILE_SIZE))
        self.end_headers()
        for start in range(0, FILE_SIZE, CHUNK):
            if start == FILE_SIZE // 2:
                self.server.half.set()
                self.server.resume.wait()
            self.wfile.write(self.server.content[start:start + CHUNK])

    def log_message(self, *_):
        pass


class Internet:
    def __init__(self, resolv_conf):
        """Makes it; `resolv_conf` is a file to write and to show to the host as its own."""
        self.host = netns.current()
        self.router = netns.create()
        self.server = netns.create()
        netns.connect(self.host, "up0", f"{HOST}/24", self.router, "down0", f"{ROUTER}/24")
        netns.connect(self.router, "up0", "198.51.100.1/24", self.server, "down0", f"{SERVER}/24")
        self.host.run("ip", "link", "set", "lo", "up")
        self.host.run("ip", "route", "add", "default", "via", ROUTER)
        self.server.run("ip", "route", "add", "default", "via", "198.51.100.1")
        self.router.sysctl("ipv4/ip_forward", 1)
        self.host.sysctl("ipv4/ping_group_range", "0 0")
        with self.server.entered():
            dnsd.Dnsd(dnsd.Zone(f"{SITE} 60 A {SERVER}"), SERVER).start()
            self.web = Web(SERVER)
        resolv_conf.write_text(f"nameserver {SERVER}\n")
        self.host.run("mount", "--bind", str(resolv_conf), "/etc/resolv.conf")
