"""The forms of single settings: each check raises ValueError, in words, for a text of another form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from urllib.parse import SplitResult, urlsplit

from stagekit import contracts, planes

BUCKET = re.compile(r"(?!.*(\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
AMAZONS_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
SCHEME = re.compile(r"(?i)([a-z][a-z0-9+.-]+):/")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
HOST = re.compile(r"[A-Za-z0-9]([\w-]*\w)?(\.[A-Za-z0-9]([\w-]*\w)?)*\.?|\[[0-9A-Fa-f:.]+\]")
EXCLUDED = re.compile(r"[^\s:,]+:[A-Z]{1,2}\d\d(-\d+)?")
REGISTRY_PATH = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
METADATA = "Metadata_"
LEFT_OUT = "-"
"""The name of a channel whose images are not used."""
PATTERN_GROUPS = "the groups channel, and well or row and column (site may be left out: one site a well)"


def url(text: str) -> None:
    """Check the address of a service: http or https, a host, perhaps a port and a path."""
    right = "it must be an address such as https://host:9000"
    parts = _address(text, ("http", "https"), right)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"it has a user, a query or a fragment; {right}")


def checkpoint(text: str) -> None:
    """Check where the weights of a network are: a file, or a URL."""
    if "://" in text:
        _address(text, ("http", "https", "ftp"), "it must be a file, or a URL such as https://host/weights.hdf5")


def _address(text: str, schemes: Collection[str], right: str) -> SplitResult:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{error}; {right}") from error
    if parts.scheme not in schemes:
        raise ValueError(f"it does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}; {right}")
    host = parts.netloc.rpartition("@")[2]
    if not HOST.fullmatch(host if port is None else host.removesuffix(f":{port}")):
        raise ValueError(f"{host!r} is no host; {right}" if host else f"it names no host; {right}")
    if port == 0 or re.search(r"\s", text.strip()):
        raise ValueError(f"{'the port is 0' if port == 0 else 'it has blanks'}; {right}")
    return parts


def bucket(text: str) -> None:
    """Check a bucket's name as S3 allows them."""
    if not BUCKET.fullmatch(text):
        raise ValueError("a bucket's name has 3 to 63 lower case letters, digits, '.' and '-', such as my-bucket")


def region(text: str) -> None:
    """Check the form of a region's name; other services than Amazon's have names of their own."""
    if not REGION.fullmatch(text):
        raise ValueError("a region's name has letters, digits and '-', such as us-east-1")


def root(text: str) -> None:
    """Check the data root: a folder, or a bucket."""
    if not SCHEME.match(text):
        folder(text)
        return
    if not re.fullmatch(r"s3://[^/]+(/[A-Za-z0-9._/-]*)?", text) or "/../" in f"{text}/":
        raise ValueError("it must be a folder, or have the form s3://bucket or s3://bucket/prefix")
    bucket(text.removeprefix("s3://").partition("/")[0])


def folder(text: str) -> None:
    """Check the path of a folder."""
    if SCHEME.match(text) or text.startswith("~"):
        raise ValueError("it must be a folder of this machine, from / or from luigi.cfg on: ~ is not replaced")


def name(text: str) -> None:
    """Check the name of a folder below the data root."""
    if not contracts.NAME.pattern.fullmatch(text) or ".." in text:
        raise ValueError(f"{text!r} is not {contracts.NAME.words}")


def registry(text: str) -> None:
    """Check where images are kept in a registry: a host and a path."""
    host, _, path = text.partition("/")
    name, _, port = host.partition(":")
    good = HOST.fullmatch(name) and (not port if host == name else port.isdecimal() and 0 < int(port) < 65536)
    if not good or not REGISTRY_PATH.fullmatch(path):
        raise ValueError("it must be HOST/PATH such as ghcr.io/my-lab/platewright: no https://, lower case letters")


def word(text: str) -> None:
    """Check a name of Slurm's."""
    if not re.fullmatch(r"[^\s;|&<>'\"]+", text.strip()):
        raise ValueError("it must be a name without blanks and quotes")


def sha256(text: str) -> None:
    """Check a SHA-256 as it is written."""
    if not SHA256.fullmatch(text):
        raise ValueError("a SHA-256 has 64 hexadecimal digits")


def metadata_columns(text: str) -> None:
    """Check columns of metadata, by commas."""
    for name in parts(text):
        if not re.fullmatch(rf"{METADATA}\S+", name):
            raise ValueError(f"{name!r} is no metadata column: their names begin with {METADATA}")
        if parts(text).count(name) > 1:
            raise ValueError(f"{name} is named twice")


def replicates(text: str) -> None:
    """Check what replicates share: auto, or columns of metadata by commas."""
    if text != "auto":
        metadata_columns(text)


def columns(text: str) -> None:
    """Check names of columns, by commas."""
    for name in parts(text):
        if not name or name != name.strip():
            raise ValueError("it must be names of columns by commas, as gene,target_list")


def some_of(known: Collection[str], what: str) -> Callable[[str], None]:
    """Return the check of words by commas, each of them known and named once."""

    def check(text: str) -> None:
        for name in parts(text):
            if name not in known:
                raise ValueError(f"there is no {what} {name!r}; by commas, without blanks, some of {', '.join(known)}")
            if parts(text).count(name) > 1:
                raise ValueError(f"{name} is named twice")

    return check


def template(*fields: str) -> Callable[[str], None]:
    """Return the check of a name with fields in braces; several names by commas are each of that form."""
    shown = " or ".join(f"{{{field}}}" for field in fields)

    def check(text: str) -> None:
        for part in parts(text):
            try:
                part.format(**dict.fromkeys(fields, "x"))
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                raise ValueError(f"in braces it may hold {shown} only") from error
            if not part.strip() or part.strip().startswith("/") or ".." in part.strip().split("/"):
                raise ValueError("it must be the name of a file, below the folder that it is looked for in")

    return check


def with_plate(text: str) -> None:
    """Check a path that may hold {plate}."""
    try:
        text.format(plate="x")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ValueError("in braces it may hold {plate} only") from error


def object_names(text: str) -> None:
    """Check what a table calls each object: Cells=cellbody,Nuclei=nucleus."""
    for part in parts(text) if text.strip() else ():
        ours, equals, theirs = (each.strip() for each in part.partition("="))
        if not equals or not theirs or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", ours):
            raise ValueError(
                f"{part!r} has not the form Cells=cellbody: our name, of letters and digits, and the table's"
            )


def image_names(text: str) -> None:
    """Check the pattern of image names."""
    try:
        groups = set(re.compile(text).groupindex)
    except re.error as error:
        raise ValueError(f"it is no regular expression ({error})") from error
    if "channel" not in groups or not ("well" in groups or {"row", "column"} <= groups):
        raise ValueError(f"it needs {PATTERN_GROUPS}")


def path_names(text: str) -> None:
    """Check the pattern of an export's image names: what a name does not say, a file may."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression ({error})") from error


def channels(text: str) -> None:
    """Check what the pattern's channels are called."""
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    for key, _, name in pairs:
        if not key or not (name.isascii() and name.isalnum() or name == LEFT_OUT):
            raise ValueError("it must read 1=DNA,2=ER, names of letters and digits, or - for one that is left out")
    if all(name == LEFT_OUT for _, _, name in pairs):
        raise ValueError("it leaves out every channel")
    keys = [key for key, _, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is there twice")


def channel_names(text: str) -> list[str]:
    """Return the names in 1=DNA,2=ER, in their order; - for one that is left out."""
    return [pair.partition("=")[2].strip() for pair in text.split(",")]


def plane(text: str) -> None:
    """Check which plane of a stack is measured, or how its planes are projected."""
    if text not in planes.PROJECTIONS and not (text.isascii() and text.isdecimal()):
        raise ValueError(
            f"it must be the number of a plane, as add-plate shows them, or {' | '.join(planes.PROJECTIONS)}"
        )


def scale(text: str) -> None:
    """Check which values of an image are black and white."""
    black, _, white = text.partition(":")
    try:
        fits = float(black) < float(white) < math.inf and float(black) > -math.inf
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("it must read black:white, two numbers such as 0:4095 or 0:1, the first one the smaller")


def time_point(text: str) -> None:
    """Check which time point is measured."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("it must be the number of a time point, as add-plate shows them")


def exclude(text: str) -> None:
    """Check sites and wells to leave out."""
    for word in text.replace(",", " ").split():
        if not EXCLUDED.fullmatch(word):
            raise ValueError(f"{word!r} has not the form <plate>:A01-1 (a site) or <plate>:A01 (a well)")
        if not contracts.NAME.pattern.fullmatch(word.partition(":")[0]):
            raise ValueError(f"{word!r} names no plate: it must be {contracts.NAME.words}")


def globs(text: str) -> None:
    """Check forms of file names with * and ?, by commas."""
    for part in parts(text):
        if not part.strip() or "/" in part:
            raise ValueError("it must be forms of file names by commas, as .*,*_thumb*")
        if part.strip() == "*":
            raise ValueError("* would pass over every image")


def parts(text: str) -> list[str]:
    """Return what stands between commas."""
    return text.split(",")
