"""Small servers of the test itself, on sockets opened on a node."""

import hashlib
import http.server
import socket
import threading

import dnsd


def pattern(size, seed=0):
    """`size` bytes that differ in every position a shift could confuse."""
    block = hashlib.shake_128(seed.to_bytes(4, "big")).digest(min(size, 1 << 20))
    return (block * (size // max(1, len(block)) + 1))[:size]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def receive_all(sock, size=None):
    """Bytes until the end of the stream, or `size` of them."""
    chunks, got = [], 0
    while size is None or got < size:
        chunk = sock.recv(1 << 20 if size is None else min(1 << 20, size - got))
        if not chunk:
            break
        chunks.append(chunk)
        got += len(chunk)
    return b"".join(chunks)


class TcpServer:
    """Accepts on a listener and runs handler(conn, peer) in a thread for each connection."""

    def __init__(self, lab, listener, handler):
        self.lab, self.listener, self.handler = lab, listener, handler
        self.addr, self.port = listener.getsockname()[:2]
        self.peers = []
        self.resets = []
        listener.settimeout(None)
        lab.thread(self._accept)

    def _accept(self):
        while True:
            try:
                conn, peer = self.listener.accept()
            except OSError:  # closed: the end of this server
                return
            conn.settimeout(30)
            self.peers.append(peer)
            self.lab.thread(self._serve, conn, peer)

    def _serve(self, conn, peer):
        with conn:
            try:
                self.handler(conn, peer)
            except ConnectionError as error:  # the test judges whether one is right
                self.resets.append(error)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def echo(conn, _peer):
    """TCP handler: sends back what comes until the peer has ended its half."""
    while data := conn.recv(1 << 16):
        conn.sendall(data)


def udp_echo(lab, sock):
    """Echoes datagrams on the socket; returns the list of who sent them."""
    peers = []
    sock.settimeout(None)

    def serve():
        while True:
            data, peer = sock.recvfrom(1 << 16)
            peers.append(peer)
            sock.sendto(data, peer)
    lab.thread(serve)
    return peers


class HttpServer:
    """Serves pattern(N) on GET /N, and takes any PUT: `received` has the SHA-256 of each."""

    def __init__(self, lab, node, addr="0.0.0.0", port=0):
        self.received = received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = pattern(int(self.path.lstrip("/")))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                if self.headers.get("Expect") == "100-continue":
                    self.send_response_only(100)
                    self.end_headers()
                digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
                while left and (data := self.rfile.read(min(left, 1 << 20))):
                    digest.update(data)
                    left -= len(data)
                received.append(digest.hexdigest())
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args):
                pass

        server = http.server.ThreadingHTTPServer((addr, port), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = node.tcp_listen(addr, port, timeout=None)
        self.port = server.socket.getsockname()[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


class NameServer(dnsd.Dnsd):
    """A name server that keeps what it was asked."""

    def __init__(self, zone, addr, port=53):
        self.asked = []
        super().__init__(dnsd.Zone(zone), addr, port)

    def log_query(self, transport, client, query):
        self.asked.append((transport, client, query))

    def count(self, name, transport=None, kind=None):
        """How many queries for the name came, by this transport and of this type number."""
        return sum(1 for t, _, q in self.asked if q.name.lower() == name and
                   transport in (None, t) and kind in (None, q.type))
