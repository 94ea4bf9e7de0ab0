"""Installs the official Labellerr SDK, which is not on PyPI, into the running environment.

    python scripts/install_labellerr_sdk.py                    from its repository
    python scripts/install_labellerr_sdk.py --repository URL   from a mirror of that
    python scripts/install_labellerr_sdk.py --from DIR         from its source on this machine

segtrack works without it (labellerr.transport=http); with it, labellerr.transport=auto takes it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

# The main line of 26 November 2025, which the adapter was written and tested for.
REPOSITORY = "https://github.com/Labellerr/SDKPython"
COMMIT = "1cb8f26"


def requirement(folder: Path | None, repository: str, commit: str) -> str:
    """What pip is asked for: the folder, or a commit of the repository.

    Raises:
        SystemExit: the folder holds no Python project.
    """
    if folder is None:
        # Without "labellerr-sdk @ ", in front of which older pips take no file:/// address.
        return f"git+{repository}@{commit}"
    if not (folder / "pyproject.toml").is_file():
        raise SystemExit(f"{folder}: no pyproject.toml there; name the folder of the SDK's source.")
    return str(folder.resolve())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the SDK's source")
    parser.add_argument("--repository", default=REPOSITORY, help=f"default: {REPOSITORY}")
    parser.add_argument("--commit", default=COMMIT, help=f"of the repository (default: {COMMIT})")
    options = parser.parse_args(arguments)
    wanted = requirement(options.folder, options.repository, options.commit)
    print(f"installing {wanted}", flush=True)
    command = [sys.executable, "-m", "pip", "install", wanted]
    if subprocess.run(command, check=False).returncode:
        print(
            "pip could not install it. Without a network, give --from a folder with its source, "
            "or --repository a copy (file:///...); segtrack also works without the SDK: "
            "labellerr.transport=http.",
            file=sys.stderr,
        )
        return 1
    # In a process of its own, since this one may have looked for it before.
    where = "segtrack.annotation.labellerr.sdk_platform"
    check = f"from {where} import sdk_problem as p; print(p() or 'ready')"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    print(found.stdout.strip() or found.stderr.strip())
    return 0 if found.stdout.strip() == "ready" else 1


if __name__ == "__main__":
    raise SystemExit(main())
