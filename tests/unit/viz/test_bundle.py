"""The committed bundle is the one that its sources make; no node needed to know."""

import hashlib
import json
import re
from pathlib import Path

VIEWER = Path(__file__).parents[3] / "viz" / "viewer"
BUNDLE = VIEWER.parent / "assets" / "viewer.js"


def test_bundle_is_fresh() -> None:
    names = ["build.mjs", "package.json", "package-lock.json"]
    names += [f"src/{path.name}" for path in sorted((VIEWER / "src").iterdir())]
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0".encode() + (VIEWER / name).read_bytes() + b"\0")
    stated = re.search(r"sources-sha256: ([0-9a-f]{64})", BUNDLE.read_text()[:400])
    assert stated is not None
    assert stated[1] == digest.hexdigest(), "run: cd viz/viewer && npm ci && node build.mjs"


def test_lock_pins_versions_and_names_no_host() -> None:
    lock = json.loads((VIEWER / "package-lock.json").read_text())
    package = json.loads((VIEWER / "package.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in entry for entry in lock["packages"].values())


def test_third_party_licences_travel() -> None:
    text = (VIEWER / "THIRD_PARTY.txt").read_text()
    assert "three.js authors" in text
    assert "Copyright (c) 2015 Kristen M. Thyng" in text
    assert text.count('THE SOFTWARE IS PROVIDED "AS IS"') == 2  # both MIT texts in full
    assert "SIL OPEN FONT LICENSE" in text.upper()


def test_nothing_is_fetched_from_elsewhere() -> None:
    sources = "".join(path.read_text() for path in (VIEWER / "src").iterdir())
    sources += (VIEWER.parent / "assets" / "page.css").read_text()
    assert not re.findall(r"https?://(?!www\.w3\.org)[a-z]", sources)
