"""A mirror of MNIST on this machine that behaves badly in a chosen way; it serves from memory."""

import contextlib
import gzip
import hashlib
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


def archive(array):
    """MNIST's format: two zero bytes, 8 for uint8, the number of axes, their lengths, the data; compressed."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def small_archives():
    """Four archives of a few digits, by their names."""
    generator = np.random.default_rng(0)
    made = {}
    for part, count in (("train", 20), ("t10k", 5)):
        made[f"{part}-images-idx3-ubyte.gz"] = archive(generator.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        made[f"{part}-labels-idx1-ubyte.gz"] = archive((np.arange(count) % 10).astype(np.uint8))
    return made


ARCHIVES = small_archives()
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in ARCHIVES.items()}


class Mirror(ThreadingHTTPServer):
    """behave: called with the request's handler and the archive asked for, in place of an honest answer."""

    daemon_threads = True

    def __init__(self, behave=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave or whole
        self.asked = []
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address):
        pass  # a client that has given up


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path.lstrip("/"))
        with contextlib.suppress(OSError):
            self.server.behave(self, ARCHIVES.get(self.path.lstrip("/"), b""))

    def head(self, length, code=200, **more):
        self.send_response(code)
        for name, value in {"Content-Length": length, **more}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def sleep(self):
        """Until the test is over, or ten seconds."""
        self.server.closing.wait(10)

    def log_message(self, *arguments):
        pass


def whole(handler, content):
    handler.head(len(content))
    handler.wfile.write(content)


def cut_at(place):
    """Announces all of it, and hangs up after so many bytes."""

    def behave(handler, content):
        handler.head(len(content))
        handler.wfile.write(content[:place])

    return behave


def page(handler, content):
    whole(handler, b"<!doctype html><title>Log in to this network</title>")


def changed(handler, content):
    whole(handler, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])


def nothing(handler, content):
    handler.head(0)


def not_there(handler, content):
    handler.head(0, code=404)


def out_of_order(handler, content):
    handler.head(0, code=503)


def in_a_circle(handler, content):
    handler.head(0, code=302, Location=handler.path)


def to_a_file(handler, content):
    handler.head(0, code=302, Location="file:///etc/hostname")


def no_http(handler, content):
    handler.wfile.write(b"220 this is another kind of server\r\n")


def broken_chunks(handler, content):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nhello\r\nno number\r\n")


def wrong_length(handler, content):
    handler.head("-7")
    handler.wfile.write(content[:50])


def hung_up(handler, content):
    """A reset in place of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def silent(handler, content):
    handler.sleep()


def silent_after_the_header(handler, content):
    handler.head(len(content))
    handler.sleep()


def silent_in_the_middle(handler, content):
    handler.head(len(content))
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    handler.sleep()


def drop_by_drop(handler, content):
    handler.head(len(content))
    for place in range(len(content)):
        handler.wfile.write(content[place : place + 1])
        handler.wfile.flush()
        time.sleep(0.02)


def header_drop_by_drop(handler, content):
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b"H")
        handler.wfile.flush()


def without_end(handler, content):
    handler.head(2**40)
    while not handler.server.closing.is_set():
        handler.wfile.write(bytes(2**20))


BAD = [
    *(page, changed, nothing, not_there, out_of_order, in_a_circle, to_a_file, no_http, broken_chunks, wrong_length),
    *(hung_up,),
]
ENDLESS = [silent, silent_after_the_header, silent_in_the_middle, drop_by_drop, header_drop_by_drop, without_end]
