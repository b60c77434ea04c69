"""Checks that the public API of each crate shows those types and traits of other crates that its manifest allows, and no others.

The allowed ones are in `package.metadata.cargo_check_external_types`, in the form of the tool of that name, which can't be used as it is: it reads the
JSON of one nightly rustdoc. This reads that of the present toolchain, and only what has long been the same in it.
"""

import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

# Features whose SDK takes gigabytes to build, and those that need headers of the machine, show nothing.
LEFT_OUT = {"ec2", "native-tls"}
ALWAYS_ALLOWED = {"std", "core", "alloc"}


def main():
    listed = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"])
    metadata = json.loads(listed)
    wrong = []
    for package in metadata["packages"]:
        if package["publish"] != []:
            wrong += check(package, Path(metadata["target_directory"]))
    if wrong:
        sys.exit("allowed_external_types of the manifest is not what the public API shows:\n" + "\n".join(wrong))


def check(package, target):
    name = package["name"]
    features = sorted(feature for feature in package["features"] if not feature.startswith("__") and feature not in LEFT_OUT)
    environment = {
        **os.environ,
        "RUSTDOC": str(Path(__file__).parent / "rustdoc-json"),
        # The same for cargo, which keeps what it has documented by these.
        "RUSTDOCFLAGS": "-Z unstable-options --output-format json",
    }
    command = ["cargo", "doc", "--quiet", "--locked", "--no-deps", "-p", name, "--features", ",".join(features)]
    subprocess.run(command, env=environment, check=True)
    described = json.loads((target / "doc" / f"{name.replace('-', '_')}.json").read_text())
    shown = shown_paths(described)
    allowed = package["metadata"]["cargo_check_external_types"]["allowed_external_types"]
    print(f"{name}: {len(shown)} types and traits of other crates are shown")
    fits = lambda path: any(fnmatchcase(path, pattern) for pattern in allowed)
    wrong = [f"{name}: {path}, in {where}, is not allowed" for path, where in sorted(shown.items()) if not fits(path)]
    is_shown = lambda pattern: any(fnmatchcase(path, pattern) for path in shown)
    return wrong + [f"{name}: `{pattern}` is allowed, and shown nowhere" for pattern in allowed if not is_shown(pattern)]


def shown_paths(described):
    """What is shown of other crates, each with a place where it is."""
    index, paths = described["index"], described["paths"]
    skipped = set()
    for item in index.values():
        implementation = item["inner"].get("impl")
        # Those are written by the compiler, or in another crate for any type.
        if implementation and (implementation["is_synthetic"] or implementation["blanket_impl"]):
            skipped |= {item["id"], *implementation["items"]}
    shown = {}
    for item in index.values():
        if item["crate_id"] != 0 or item["id"] in skipped:
            continue
        for referred in references(item["inner"]):
            path = paths.get(str(referred))
            if path and path["crate_id"] != 0 and path["path"][0] not in ALWAYS_ALLOWED:
                shown.setdefault("::".join(path["path"]), place(item, paths))
    return shown


def references(inner):
    """The ids of all types and traits that are named in a piece of an item."""
    if isinstance(inner, dict):
        # A path to a type or trait, and what is exported again.
        if "id" in inner and ("path" in inner or "source" in inner):
            yield inner["id"]
        for value in inner.values():
            yield from references(value)
    elif isinstance(inner, list):
        for value in inner:
            yield from references(value)


def place(item, paths):
    own = paths.get(str(item["id"]))
    if own:
        return "::".join(own["path"])
    span = item["span"]
    return f"{span['filename']}:{span['begin'][0]}" if span else "?"


if __name__ == "__main__":
    main()
