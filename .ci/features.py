"""Checks that the README of each crate has each of its features in its table and no other, and that each crate builds without features and
with each of its features alone.

Left out of the builds is `ec2`, whose SDK takes minutes and gigabytes: a step of its own builds it; and `native-tls` where the headers of
OpenSSL can't be had.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

SLOW = {"ec2"}


def main():
    listed = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"])
    packages = [package for package in json.loads(listed)["packages"] if package["publish"] != []]
    for package in packages:
        check_table(package)
    left_out = SLOW if has_openssl() else SLOW | {"native-tls"}
    if "native-tls" in left_out:
        print("skipped: the feature native-tls, since the headers of OpenSSL could not be had", flush=True)
    for package in packages:
        for feature in ["", *sorted(public_features(package) - left_out)]:
            print(f"{package['name']} {feature or 'without features'}", flush=True)
            command = ["cargo", "check", "--quiet", "--locked", "-p", package["name"], "--no-default-features", "--features", feature]
            if subprocess.run(command).returncode != 0:
                sys.exit(f"{package['name']} does not build with the features `{feature}` alone")


def public_features(package):
    return {feature for feature in package["features"] if feature != "default" and not feature.startswith("__")}


def check_table(package):
    """Those are the features that the first column of the table below `## Features` names."""
    readme = Path(package["manifest_path"]).parent / package["readme"]
    section = re.search(r"^## Features\n(.*?)(?=^## |\Z)", readme.read_text(), re.MULTILINE | re.DOTALL)
    if not section:
        sys.exit(f"{readme} has no section `## Features`")
    rows = re.search(r"(?:^\|.*\n)+", section[1], re.MULTILINE)
    cells = [row.split("|")[1] for row in rows[0].splitlines()[2:]] if rows else []
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    expected = public_features(package)
    if sorted(named) != sorted(expected):
        lacks, others = sorted(expected - set(named)), sorted(set(named) - expected)
        sys.exit(f"{readme}: the table of the features lacks {lacks}, has {others} beside them, or has one twice: {sorted(named)}")


def has_openssl():
    try:
        return subprocess.run(["pkg-config", "--exists", "openssl"], check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main()
