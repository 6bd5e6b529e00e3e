"""`python -m deploy.release PREFIX [--key KEY]`: publishes the version that pyproject.toml names.

Builds the five images, pushes them to PREFIX, and signs each one's digest, bill of materials and
provenance: with cosign's private KEY, or without one as the workflow that runs it. What users get
beside the images is written to release/. docs/releasing.md has all of it.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "release"
SERVICES = ("auth", "dbuploader", "gateway", "notification", "queries")
PLATFORMS = "linux/amd64,linux/arm64"
# Signatures with a key are proved by the key alone: nothing is asked of, or told to, a public log.
_KEY_ALONE = ("--use-signing-config=false", "--tlog-upload=false")


class ReleaseRefused(Exception):
    """Nothing was published; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """What is released: a commit, when it was made, in seconds since 1970, and its version."""

    url: str
    commit: str
    epoch: str
    version: str

    @property
    def tag(self) -> str:
        """The tag in git."""
        return f"v{self.version}"

    def labels(self) -> dict[str, str]:
        """What an image says of its origin, per the OCI image specification."""
        return {
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.revision": self.commit,
            "org.opencontainers.image.source": self.url,
        }


def version() -> str:
    """The version of everything in this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def source() -> Source:
    """The commit that is checked out; raises ReleaseRefused unless it is its version's tag."""
    tag = f"v{version()}"
    if tag not in _run("git", "tag", "--points-at", "HEAD").split():
        raise ReleaseRefused(f"HEAD is not {tag}: git checkout {tag}, or tag it.")
    if _run("git", "status", "--porcelain"):
        raise ReleaseRefused("The checkout has changes that are not committed: release a clone.")
    return Source(
        url=_url(),
        commit=_run("git", "rev-parse", "HEAD"),
        epoch=_run("git", "log", "-1", "--format=%ct"),
        version=version(),
    )


def _url() -> str:
    if "GITHUB_REPOSITORY" in os.environ:
        return f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
    return _run("git", "remote", "get-url", "origin")


class Docker:
    """BuildKit, for both platforms."""

    def resolve(self, base: str) -> str:
        """`base` with its digest, so that all five images are built on the same."""
        found = _run(
            *("docker", "buildx", "imagetools", "inspect", base),
            *("--format", "{{.Manifest.Digest}}"),
        )
        return f"{base}@{found}"

    def publish(self, service: str, image: str, base: str, origin: Source) -> str:
        """Build an image and push it; returns its digest."""
        metadata = OUTPUT / f"{service}.build.json"
        _run(
            *("docker", "buildx", "build", f"--platform={PLATFORMS}", f"--tag={image}"),
            *("--output=type=image,push=true,rewrite-timestamp=true", "--provenance=false"),
            *(f"--build-arg=SOURCE_DATE_EPOCH={origin.epoch}", f"--metadata-file={metadata}"),
            *_build_options(service, base, origin),
        )
        digest = json.loads(metadata.read_text("utf-8"))["containerimage.digest"]
        metadata.unlink()
        return str(digest)


class Podman:
    """Podman, for this machine's platform. MUSTER_PODMAN_OPTIONS go to `podman build`."""

    def resolve(self, base: str) -> str:
        """`base` itself: what is here under this name is built on."""
        return base

    def publish(self, service: str, image: str, base: str, origin: Source) -> str:
        """Build an image and push it; returns its digest."""
        digest = OUTPUT / f"{service}.digest"
        _run(
            *("podman", "build", "--format=oci", f"--tag={image}", f"--timestamp={origin.epoch}"),
            *os.environ.get("MUSTER_PODMAN_OPTIONS", "").split(),
            *_build_options(service, base, origin),
        )
        _run("podman", "push", f"--digestfile={digest}", image)
        found = digest.read_text("ascii").strip()
        digest.unlink()
        return found


def _build_options(service: str, base: str, origin: Source) -> list[str]:
    labels = [f"--label={name}={value}" for name, value in origin.labels().items()]
    base_image = f"--build-arg=PYTHON_IMAGE={base}"
    return [base_image, *labels, f"--file={service}/Dockerfile", str(ROOT)]


def bill_of_materials(service: str, of_ours: str) -> dict[str, Any]:
    """The packages that an image has of uv.lock, in CycloneDX; `of_ours` is our own's version."""
    uv = str(ROOT / ".uv/bin/uv")
    said = _run(
        *(uv, "export", "--quiet", "--frozen", "--no-dev", f"--package=muster-{service}"),
        *("--extra=otel", "--format=cyclonedx1.5", "--preview-features=sbom-export"),
    )
    parsed: dict[str, Any] = json.loads(said)
    for component in (parsed["metadata"]["component"], *parsed["components"]):
        component.setdefault("version", of_ours)
    return parsed


def provenance(
    service: str, base: str, origin: Source, started: datetime, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Of what, by whom and how an image was built: a predicate of SLSA 1.

    https://slsa.dev/spec/v1.0/provenance
    """
    lock = hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()
    name, _, digest = base.partition("@sha256:")
    workflow, run = "urn:muster:released-by-hand", ""
    if "GITHUB_WORKFLOW_REF" in environment:
        server = environment["GITHUB_SERVER_URL"]
        workflow = f"{server}/{environment['GITHUB_WORKFLOW_REF']}"
        attempt = f"{environment['GITHUB_RUN_ID']}/attempts/{environment['GITHUB_RUN_ATTEMPT']}"
        run = f"{server}/{environment['GITHUB_REPOSITORY']}/actions/runs/{attempt}"
    return {
        "buildDefinition": {
            "buildType": f"{origin.url}/blob/{origin.tag}/docs/releasing.md",
            "externalParameters": {
                "source": f"git+{origin.url}@refs/tags/{origin.tag}",
                "dockerfile": f"{service}/Dockerfile",
                "base": name,
            },
            "internalParameters": {"SOURCE_DATE_EPOCH": origin.epoch},
            "resolvedDependencies": [
                {
                    "uri": f"git+{origin.url}@refs/tags/{origin.tag}",
                    "digest": {"gitCommit": origin.commit},
                },
                {"uri": "uv.lock", "digest": {"sha256": lock}},
                *([{"uri": f"pkg:docker/{name}", "digest": {"sha256": digest}}] if digest else []),
            ],
        },
        "runDetails": {
            "builder": {"id": workflow},
            "metadata": {
                **({"invocationId": run} if run else {}),
                "startedOn": _rfc3339(started),
                "finishedOn": _rfc3339(datetime.now(UTC)),
            },
        },
    }


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def sign(image: str, attestations: Mapping[str, Path], key: str | None) -> None:
    """Sign an image by its digest, and each attestation, a file by its type for cosign."""
    who = [f"--key={key}", *_KEY_ALONE] if key else []
    _run("cosign", "sign", "--yes", *who, image)
    for kind, file in attestations.items():
        _run("cosign", "attest", "--yes", *who, f"--type={kind}", f"--predicate={file}", image)


def write_sums(directory: Path) -> None:
    """Write SHA256SUMS, of every other file of the directory, as sha256sum reads it."""
    files = sorted(file for file in directory.iterdir() if file.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (directory / "SHA256SUMS").write_text("".join(lines), "ascii")


def release(prefix: str, key: str | None, engine: Docker | Podman) -> None:
    """Publish all of it; raises ReleaseRefused or CalledProcessError."""
    origin = source()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    base = engine.resolve(base_image())
    published = []
    for service in SERVICES:
        started, image = datetime.now(UTC), f"{prefix}/{service}:{origin.version}"
        print(f"{image} …", flush=True)
        digest = engine.publish(service, image, base, origin)
        published.append(f"{prefix}/{service}@{digest}")
        bill = _write(f"{service}.cdx.json", bill_of_materials(service, origin.version))
        origins = _write(
            f"{service}.provenance.json", provenance(service, base, origin, started, os.environ)
        )
        sign(published[-1], {"cyclonedx": bill, "slsaprovenance1": origins}, key)
    (OUTPUT / "images.txt").write_text("".join(f"{each}\n" for each in published), "ascii")
    write_sums(OUTPUT)
    print(*published, sep="\n")


def base_image() -> str:
    """The image that the Dockerfiles name, or PYTHON_IMAGE."""
    text = (ROOT / "auth/Dockerfile").read_text("utf-8")
    (named,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    return os.environ.get("PYTHON_IMAGE") or named


def _write(name: str, content: object) -> Path:
    file = OUTPUT / name
    file.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return file


def _run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main() -> int:
    """Publish what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release")
    parser.add_argument("prefix", help="where the images go, as registry.example.com/muster")
    parser.add_argument("--key", help="cosign's private key; without it, the workflow's identity")
    parser.add_argument("--engine", choices=("docker", "podman"), default="docker")
    arguments = parser.parse_args()
    engine = Docker() if arguments.engine == "docker" else Podman()
    try:
        release(arguments.prefix.lower(), arguments.key, engine)
    except ReleaseRefused as error:
        print(f"muster: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"muster: {error.cmd[0]} ended with {error.returncode}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
