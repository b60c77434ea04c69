"""What stands around the agent that is measured: a Jibri, instance metadata, systemd and AWS, all on loopback."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MOTO = ROOT / "jibri-scaler-aws/tests/moto"
REGION = "eu-central-1"
GROUP = "jibri"
AWS_CLI = "awscli==1.46.3"

HEALTH = b'{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}'

# What systemd says of a unit whose process is this one.
SYSTEMCTL = """#!/bin/sh
printf 'MainPID=%s\\nExecMainCode=0\\nExecMainStatus=0\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\n' {pid}
"""

# rustls takes no certificate that signs itself.
CERTIFICATES = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

def certificate(subject, key, issuer, signer, extension):
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), x509.random_serial_number(), now - day, now + day)
    return builder.add_extension(extension, critical=False).sign(signer, hashes.SHA256())

pem = serialization.Encoding.PEM
root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
authority = certificate("root", root, "root", root, x509.BasicConstraints(ca=True, path_length=None))
names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
server = certificate("127.0.0.1", leaf, "root", root, names)
key = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
with open(sys.argv[1], "wb") as out:
    out.write(authority.public_bytes(pem))
with open(sys.argv[2], "wb") as out:
    out.write(server.public_bytes(pem) + key)
"""


class Handler(BaseHTTPRequestHandler):
    # Connections are kept, as with the real ones.
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Jibri(Handler):
    reads = 0

    def do_GET(self):
        if self.path.endswith("/health"):
            Jibri.reads += 1
            self.answer(200, HEALTH, [("Content-Type", "application/json")])
        else:
            self.answer(404, b"")


class Imds(Handler):
    entries = {}

    def do_PUT(self):
        self.answer(200, b"token", [("x-aws-ec2-metadata-token-ttl-seconds", "21600")])

    def do_GET(self):
        entry = self.entries.get(self.path.removeprefix("/latest/meta-data/"))
        self.answer(404 if entry is None else 200, (entry or "").encode())


class Aws(Handler):
    """TLS and kept connections, which the server of moto has not."""

    moto = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        moto = HTTPConnection("127.0.0.1", self.moto)
        headers = dict(self.headers.items()) | {"Connection": "close"}
        moto.request("POST", self.path, body, headers)
        answer = moto.getresponse()
        body = answer.read()
        dropped = ("content-length", "connection", "transfer-encoding", "date", "server")
        self.answer(answer.status, body, [h for h in answer.getheaders() if h[0].lower() not in dropped])
        moto.close()


def serve(handler, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        # The handshake is done by the thread of the connection.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def installed(name, *what):
    """The folder with these packages, installed where they are not yet."""
    folder = TARGET / "agent_cost" / name
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", partial]
        subprocess.run([*pip, *what], check=True)
        partial.rename(folder)
    return folder


class World:
    def __init__(self, folder):
        self.folder = folder
        self.packages = installed("moto", "--requirement", str(MOTO / "requirements.txt"))
        self.cli = installed(AWS_CLI.replace("==", "-"), AWS_CLI)

    def __enter__(self):
        environment = os.environ | {"PYTHONPATH": str(self.packages), "PYTHONNOUSERSITE": "1"}
        self.server = subprocess.Popen(
            [sys.executable, MOTO / "front.py"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        Aws.moto = int(self.server.stdout.readline())
        authority, chain = self.folder / "root.pem", self.folder / "server.pem"
        subprocess.run([sys.executable, "-c", CERTIFICATES, authority, chain], env=environment, check=True)
        roots = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
        if Path(roots).exists():
            authority.write_bytes(authority.read_bytes() + Path(roots).read_bytes())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain)

        self.jibri = serve(Jibri)
        instance = self.make_group()
        Imds.entries = {
            "instance-id": instance,
            "placement/region": REGION,
            "tags/instance/aws:autoscaling:groupName": GROUP,
            "autoscaling/target-lifecycle-state": "InService",
        }
        systemctl = self.folder / "bin" / "systemctl"
        systemctl.parent.mkdir()
        systemctl.write_text(SYSTEMCTL.format(pid=os.getpid()))
        systemctl.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = kept | {
            "PATH": f"{systemctl.parent}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{serve(Aws, tls)}",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{serve(Imds)}",
            "SSL_CERT_FILE": str(authority),
            "AWS_CA_BUNDLE": str(authority),
            # For cron.
            "PYTHON": sys.executable,
            "PYTHONPATH": str(self.cli),
            "PYTHONNOUSERSITE": "1",
            "HEALTH": f"http://127.0.0.1:{self.jibri}/jibri/api/v1.0/health",
            "GROUP": GROUP,
        }
        return self

    def __exit__(self, *error):
        self.server.stdin.close()
        self.server.wait()

    def call(self, service, body, headers):
        sent = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20261122/{REGION}/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0",
            "Host": f"{service}.{REGION}.amazonaws.com",
        }
        request = urllib.request.Request(f"http://127.0.0.1:{Aws.moto}/", body.encode(), sent | headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def make_group(self):
        """A group of one instance; its id."""

        def act(action, **fields):
            return self.call("autoscaling", urllib.parse.urlencode({"Version": "2011-01-01", "Action": action} | fields), {})

        act("CreateLaunchConfiguration", LaunchConfigurationName="jibri", ImageId="ami-12345678", InstanceType="t3.small")
        sizes = {"MinSize": 0, "MaxSize": 2, "DesiredCapacity": 1, "AvailabilityZones.member.1": f"{REGION}a"}
        protected = {"NewInstancesProtectedFromScaleIn": "true"}
        act("CreateAutoScalingGroup", AutoScalingGroupName=GROUP, LaunchConfigurationName="jibri", **sizes, **protected)
        listed = act("DescribeAutoScalingGroups", **{"AutoScalingGroupNames.member.1": GROUP})
        return listed.partition("<InstanceId>")[2].partition("<")[0]

    def points(self, namespace):
        """How many points of the idle signal were published."""
        now = time.time()
        body = {"Namespace": namespace, "MetricName": "Idle", "StartTime": now - 7200, "EndTime": now + 60, "Period": 7260}
        body |= {"Statistics": ["SampleCount"], "Dimensions": [{"Name": "AutoScalingGroupName", "Value": GROUP}]}
        target = {"X-Amz-Target": "GraniteServiceVersion20100801.GetMetricStatistics"}
        answer = self.call("monitoring", json.dumps(body), target | {"Content-Type": "application/x-amz-json-1.0"})
        return int(sum(point["SampleCount"] for point in json.loads(answer)["Datapoints"]))

    @staticmethod
    def reads():
        return Jibri.reads
