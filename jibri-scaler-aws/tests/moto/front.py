"""moto, with a front that lets the CloudWatch client of the Rust SDK speak to it.

That client speaks Smithy RPC v2 CBOR only, which moto does not know; it knows awsJson 1.0 for the same operations. This front turns
the one into the other and lets everything else (Auto Scaling speaks the query protocol) pass as it is. DynamoDB is asked one thing at
a time: moto looks at the condition of a write and then writes, so that of two at once both may, which no table of AWS lets happen.

Prints the port it listens on, and exits when its standard input closes: test binaries have no tear-down.
"""

import gzip
import io
import json
import logging
import os
import re
import sys
import threading
from datetime import datetime, timezone

import cbor2
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

PATH = re.compile(r"^/service/(?P<service>\w+)/operation/(?P<operation>\w+)$")

# What awsJson writes as a number and CBOR as a time (tag 1), and what must stay a floating-point number though it is whole.
TIMES = {"Timestamp", "Timestamps", "StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp"}
FLOATS = {"Average", "Maximum", "Minimum", "SampleCount", "Sum", "Values", "Value"}

# moto keeps a value with a count as so many values: counts of billions, which CloudWatch takes, would fill the memory.
MOST = 10_000


class Front:
    def __init__(self, moto):
        self.moto = moto
        self.dynamodb = threading.Lock()

    def __call__(self, environ, start_response):
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_"):
            # Whole before the lock is taken: who sends slowly holds up nobody.
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            with self.dynamodb:
                return self.moto(environ, start_response)
        match = PATH.match(environ["PATH_INFO"])
        if not match:
            return self.moto(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ.pop("HTTP_CONTENT_ENCODING", None) == "gzip":
            body = gzip.decompress(body)
        body = cbor2.loads(body) if body else {}
        for datum in body.get("MetricData", []):
            if "Counts" in datum:
                datum["Counts"] = [min(count, MOST) for count in datum["Counts"]]
        body = json.dumps(body, default=to_json).encode()
        environ.update(
            {
                "PATH_INFO": "/",
                "RAW_URI": "/",
                "REQUEST_URI": "/",
                "CONTENT_TYPE": "application/x-amz-json-1.0",
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_X_AMZ_TARGET": f"{match['service']}.{match['operation']}",
                "wsgi.input": io.BytesIO(body),
            }
        )
        answer = {}

        def keep(status, headers, exc_info=None):
            answer.update(status=status, headers=headers)
            return lambda chunk: None

        body = b"".join(self.moto(environ, keep))
        try:
            body = json.loads(body) if body else {}
        except ValueError:
            # moto answers what it cannot do with a page of HTML.
            start_response(answer["status"], answer["headers"])
            return [body]
        headers = [
            (name, value)
            for name, value in answer["headers"]
            if name.lower() not in ("content-type", "content-length")
        ]
        headers += [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
        if not answer["status"].startswith("2"):
            code = body.get("__type", "").rpartition("#")[2]
            body = {"__type": f"com.amazonaws.cloudwatch#{code}", "message": body.get("message")}
            headers.append(("x-amzn-query-error", f"{code};Sender"))
        body = cbor2.dumps(to_cbor(body), datetime_as_timestamp=True)
        headers.append(("Content-Length", str(len(body))))
        start_response(answer["status"], headers)
        return [body]


def to_json(value):
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"no JSON for {value!r}")


def to_cbor(value, key=None):
    if isinstance(value, dict):
        return {name: to_cbor(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [to_cbor(member, key) for member in value]
    if key in TIMES and isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if key in TIMES and isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    if key in FLOATS and isinstance(value, (int, float)):
        return float(value)
    return value


class Quiet(WSGIRequestHandler):
    def log_request(self, *args):
        pass


def exit_with_standard_input():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=exit_with_standard_input, daemon=True).start()
    front = Front(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()
