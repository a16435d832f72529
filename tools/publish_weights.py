"""Publishes an export on the Hub: `python tools/publish_weights.py EXPORT --all --repo-prefix ORG/NAME --push`.

Without --push it only says what it would upload. The whole goes to ORG/NAME, components to ORG/NAME-encoder and so on.
Untrained weights, a component without a model card and a head of another encoder are refused.
"""

import argparse
import sys
from pathlib import Path

from rect_core.hub_upload import check_online, upload
from rect_train.publish import PARTS, Upload, plan


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Uploads what `rect-train export` wrote, each component with its card.")
    out.add_argument("export", type=Path, metavar="EXPORT", help="folder that `rect-train export` wrote")
    for part in PARTS:
        out.add_argument(f"--{part}", action="store_true", help=f"to ORG/NAME-{part}")
    out.add_argument("--all", action="store_true", help="every component that is there, and the whole to ORG/NAME")
    out.add_argument("--repo-prefix", required=True, metavar="ORG/NAME", help="where to")
    out.add_argument(
        "--push", "--no-dry-run", action="store_true", help="upload; without it nothing leaves this machine"
    )
    out.add_argument("--public", action="store_true", help="new repositories are public (default: private)")
    out.add_argument("--revision", help="branch to commit to (default: main)")
    return out


def main() -> int:
    """0 done, 1 not all could be uploaded, 2 bad usage or weights that are not to be published."""
    options = parser().parse_args()
    try:
        there = [part for part in PARTS if (options.export / part).is_dir()]
        chosen = there if options.all else [part for part in PARTS if vars(options)[part]]
        uploads = plan(options.export, chosen, options.repo_prefix, whole=options.all)
        for found in uploads:
            print("\n".join(found.lines))
        if not options.push:
            print("dry run: nothing was uploaded; add --push")
            return 0
        check_online(options.repo_prefix)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return _push(uploads, options)


def _push(uploads: list[Upload], options: argparse.Namespace) -> int:
    for found in uploads:
        said = ", ".join(f"{part} {seal[:12]}" for part, seal in found.seals.items())
        try:
            commit = upload(
                found.repo_id,
                found.files,
                message=f"Upload {said}",
                private=not options.public,
                revision=options.revision,
            )
        except ConnectionError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{found.repo_id}: commit {commit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
