"""Checks each crate without features, and with each of its features alone.

Left out are `native-tls`, which needs the headers of OpenSSL, and `ec2`, whose SDK takes minutes and gigabytes: a step of its own builds it.
"""

import json
import subprocess
import sys

LEFT_OUT = {"default", "__model", "native-tls", "ec2"}


def main():
    listed = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"])
    for package in json.loads(listed)["packages"]:
        if package["publish"] == []:
            continue
        for feature in ["", *sorted(set(package["features"]) - LEFT_OUT)]:
            print(f"{package['name']} {feature or 'without features'}", flush=True)
            command = ["cargo", "check", "--quiet", "--locked", "-p", package["name"], "--no-default-features", "--features", feature]
            if subprocess.run(command).returncode != 0:
                sys.exit(f"{package['name']} does not build with the features `{feature}` alone")


if __name__ == "__main__":
    main()
