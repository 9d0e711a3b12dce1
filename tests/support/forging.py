"""Saved models changed by somebody who knows how their checksums are computed."""

import hashlib
import json


def sign(folder):
    """Make all checksums of a saved model right."""
    path = folder / "ranker.json"
    document = json.loads(path.read_text())
    for name in document["sha256"]:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        document["sha256"][name] = digest
    document.pop("checksum", None)
    text = json.dumps(document, sort_keys=True)
    document["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(document))


def forge(folder, change):
    """Apply a function to the document of a saved model, and sign it."""
    path = folder / "ranker.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    sign(folder)
