"""What an agent costs its machine, beside cron and the AWS CLI in the same run.

    cargo build --profile small -p jibri-scaler-examples --features aws --example agent
    python3 benches/agent_cost/measure.py [--minutes 10] [--period 10] [--agent BINARY]

Linux, Python 3.11 or newer with pip, and curl. The first run installs the AWS CLI and moto from the package index under
target/agent_cost. Both ways read the health of the same fake Jibri and publish to the same moto, over TLS with the certificates of
this machine in the trust store, as on an instance. The agent reads once a second; cron reads once in each period, just before its one
`aws cloudwatch put-metric-data`, and does nothing else (no protection, no drain). CPU is user and system time with that of all children, from the
first moment to the last, start included. Ends with 1 where a target is missed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import world

MOST_RESIDENT_MB = 12
LEAST_RATIO = 50

CRON = """
status=$(curl --silent --fail --max-time 3 "$HEALTH")
case $status in *'"busyStatus":"IDLE"'*) value=1 ;; *) value=0 ;; esac
"$PYTHON" -m awscli cloudwatch put-metric-data --namespace ByCron --metric-name Idle \
    --dimensions "AutoScalingGroupName=$GROUP" --value "$value"
"""


class Agent:
    """The agent, and the most memory it was seen to hold."""

    def __init__(self, binary, around, folder, period):
        policy = folder / "policy.toml"
        policy.write_text("min_idle = 1\n")
        recordings = folder / "recordings"
        recordings.mkdir()
        self.log = folder / "agent.log"
        self.latch = folder / "latch"
        jibri = f"http://127.0.0.1:{around.jibri}"
        command = [binary, "--policy", policy, "--period", f"{period}s", "--jibri", f"{jibri},{jibri}"]
        command += ["--latch", self.latch, "--recordings", recordings]
        # moto has no lifecycle hooks.
        command += ["--without-launching-hook", "--without-terminating-hook"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=around.environment, stdout=log, stderr=log)
        self.samples = []

    def sample(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        if "VmRSS" not in fields:
            sys.exit(f"the agent has ended; what it said:\n{self.log.read_text()}")
        self.samples.append(int(fields["VmRSS"].split()[0]) / 1024)
        self.peak = int(fields["VmHWM"].split()[0]) / 1024
        self.own = int(fields["RssAnon"].split()[0]) / 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            sys.exit(f"the agent ended with {self.process.returncode}:\n{self.log.read_text()}")
        return usage.ru_utime + usage.ru_stime


class Cron(threading.Thread):
    """Calls the CLI once in each period."""

    def __init__(self, around, period, until):
        super().__init__()
        self.around, self.period, self.until = around, period, until
        self.seconds, self.megabytes, self.failures = [], [], 0

    def run(self):
        due = time.monotonic()
        while due < self.until:
            time.sleep(max(0, due - time.monotonic()))
            call = subprocess.Popen(["/bin/sh", "-c", CRON], env=self.around.environment)
            _, status, usage = os.wait4(call.pid, 0)
            call.returncode = os.waitstatus_to_exitcode(status)
            self.failures += call.returncode != 0
            self.seconds.append(usage.ru_utime + usage.ru_stime)
            self.megabytes.append(usage.ru_maxrss / 1024)
            due += self.period


def main():
    parser = argparse.ArgumentParser(description="What an agent costs, beside cron and the AWS CLI")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--period", type=int, choices=[10, 60], default=10, help="in seconds")
    parser.add_argument("--agent", type=Path, default=world.TARGET / "small/examples/agent")
    options = parser.parse_args()
    if not options.agent.exists():
        sys.exit(f"{options.agent} is not there: build it first (see the head of this file), or name it with --agent")

    with tempfile.TemporaryDirectory() as folder, world.World(Path(folder)) as around:
        agent = Agent(options.agent, around, Path(folder), options.period)
        until = time.monotonic() + 60 * options.minutes
        cron = Cron(around, options.period, until)
        cron.start()
        while time.monotonic() < until:
            time.sleep(1)
            agent.sample()
        cron.join()
        cpu = agent.end()
        published, by_cron = around.points("Jibri"), around.points("ByCron")
        reads = around.reads()
        log = agent.log.read_text()

    by_cli = sum(cron.seconds)
    calls = len(cron.seconds)
    ratio = by_cli / cpu
    print(f"{options.minutes:g} minutes at a period of {options.period} s")
    print(f"agent: {max(agent.samples):.1f} MB resident at most ({agent.samples[-1]:.1f} at the end, of it {agent.own:.1f} its own;")
    print(f"       peak {agent.peak:.1f}), {cpu:.2f} s of CPU, {published} points published")
    print(f"cron:  {max(cron.megabytes):.1f} MB resident during a call, {by_cli:.2f} s of CPU in {calls} calls")
    print(f"       ({by_cli / calls:.2f} s each), {by_cron} points published, {cron.failures} calls failed")
    print(f"health was read {reads} times by both together")
    print(f"the agent needs 1/{ratio:.0f} of the CPU of cron and the CLI")
    # Figures of an agent that did not do its work would mean nothing.
    least = 60 * options.minutes / options.period - 2
    if published < least or by_cron < least or reads < 60 * options.minutes * 0.9:
        sys.exit(f"the work was not done; what the agent said:\n{log}")
    missed = []
    if agent.peak > MOST_RESIDENT_MB:
        missed.append(f"more than {MOST_RESIDENT_MB} MB resident")
    if ratio < LEAST_RATIO:
        missed.append(f"more than 1/{LEAST_RATIO} of the CPU")
    if missed:
        sys.exit("missed: " + ", ".join(missed))
    print(f"targets met: at most {MOST_RESIDENT_MB} MB, at most 1/{LEAST_RATIO} of the CPU")


if __name__ == "__main__":
    main()
