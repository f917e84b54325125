"""lz-string's `compressToBase64`, read back; the vectors were made by the npm package lz-string 1.5.0."""

import random
import time

import pytest

from core6.capture import lz_string
from core6.capture.decoding import Received, decode
from core6.capture.refusals import Refused
from tests.support.capture.sending import FORM

VECTORS = [
    ("", "Q==="),
    ("a", "IZA="),
    ("hello hello hello", "BYUwNmD2AEoTcpA="),
    ("€", "jUEQ"),
    ("😀", "rwbgA9o="),
    ("😀😀😀🎉" * 5, "rwbgA92weDcSP3zFtpGcmPlIA==="),
    ("a" * 50, "IY18ZXeQ"),
    (
        "ab" * 5000,
        (
            "IYI17SOrZ+6IcpqXrZj2u5/vQg4o0k8syi6q2m+uxh5p1l9tzj7r3n/voIHChokeLGSJ0qbJny5ihcqWqV6tZo3atunfr2GDxo6ZPmzli9au"
            "2b9u44fOnrl+7eeP3r75/+/QIDgoNCQ8LDIiOio2Jj4uMSE5KTUlPS0zIzsrNyc/LzCguKi0pLyssqK6qramvq6xobmptaW9rbOju6u3p7+v"
            "sGB4aHRkfGxyYmgA"
        ),
    ),
    (
        "".join(map(chr, range(32, 127))),
        (
            "AQQgRAxAJApAZAcgBQEoBUBqANAWgHQD0ADAIwBMAzACwCsAbAOwAcAnAFwDcAPALwB8AfgACAQQBCAYQAiAUQBiAcQASASQBSAaQAyAWQBy"
            "AeQAKARQBKAZQAqAVQBqAdQAaATQBaAbQA6AXQB6APoABgCGAEYAxgAmAKYAZgDmABYAlgBWANYANgC2AHYA9gAOAI4ATgDOAC4ArgBuAO4A"
            "HgCeAF4A3gA+AL4AfkA="
        ),
    ),
    (
        '{"event":"$pageview","properties":{"token":"phc_x","distinct_id":"äöü€😀"}}',
        (
            "N4IgpgbmB2AuIC4QBIAOBDA5pAlmA7iADQioBOA9qmGbHgM6KiwUDWMipAFgMYD6AD2IgAJjnp1oPWHxwjOAE4BvAH8A1BIF4NwAB7IAL66g"
            "A==="
        ),
    ),
    ("\x00\x01ÿĀ\n\t", "AAQA/4AIAFAJBA=="),
]
WITH_PLUS_SIGNS = '{"event":"a >>> b"}', "N4IgpgbmB2AuIC4QEMAEA+TqBGIC+QA="
HALF_A_SURROGATE = "rwbQ"


@pytest.mark.parametrize(("text", "compressed"), VECTORS, ids=lambda each: ascii(each[:12]))
def test_the_text_is_read_back(text: str, compressed: str):
    assert lz_string.decompress(compressed) == text


@pytest.mark.parametrize(
    "compressed",
    [
        *("", "=", "A", "\x00", "ü", "IZ", "hello", "////", "IY18ZXe", "AQQgRAxAJApA", HALF_A_SURROGATE),
        *(compressed[: len(compressed) // 2] for _, compressed in VECTORS[4:9]),
    ],
)
def test_what_lz_string_did_not_write_is_refused(compressed: str):
    with pytest.raises(ValueError, match=r"."):
        lz_string.decompress(compressed)


def test_random_text_ends_with_a_text_or_a_known_error():
    randoms = random.Random(1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    for _ in range(300):
        given = "".join(randoms.choices(alphabet, k=randoms.randrange(1, 60)))
        try:
            assert isinstance(lz_string.decompress(given), str)
        except (ValueError, OverflowError):
            continue


def test_more_than_64_kb_are_refused_unread():
    with pytest.raises(OverflowError):
        lz_string.decompress("Q" * (lz_string.LARGEST_INPUT + 1))
    assert lz_string.LARGEST_INPUT == 64 * 1024


def bomb() -> str:
    """Return 20 KB that stand for some hundred MB: each code is the entry that it makes itself."""
    bits, width, known, room = [0, 0, *(int(b) for b in f"{ord('a'):08b}"[::-1])], 2, 3, 2
    while len(bits) < 6 * 20 * 1024:
        known += 1
        room = max(room, known.bit_length())
        width = room
        bits += [known - 1 >> i & 1 for i in range(width)]
    bits += [0] * (-len(bits) % 6)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(alphabet[int("".join(map(str, bits[i : i + 6])), 2)] for i in range(0, len(bits), 6))


def test_more_than_512_kb_of_text_are_refused_as_soon_as_they_are_there():
    started = time.process_time()
    with pytest.raises(OverflowError):
        lz_string.decompress(bomb())
    assert time.process_time() - started < 2
    assert lz_string.LARGEST_OUTPUT == 512 * 1024


def test_a_request_of_that_kind_is_413():
    with pytest.raises(Refused, match=r"^maximum event size exceeded: of lz-string$") as caught:
        decode(
            Received(f"data={bomb()}&compression=lz64".encode(), content_type=FORM), largest=2 * 1024**2, is_legacy=True
        )
    assert caught.value.status == 413


@pytest.mark.parametrize("hint", ["lz64", "lz-string"])
def test_lz_string_needs_a_hint_and_no_form(hint: str):
    text, compressed = VECTORS[9]
    for received in (
        Received(compressed.encode(), compression=hint),
        Received(b"", data=compressed, compression=hint),
        Received(f"data={compressed}&compression={hint}".encode(), content_type=FORM),
        Received(f"data={compressed}".encode(), compression=hint),
    ):
        assert decode(received, largest=10_000, is_legacy=True) == text


def test_plus_signs_that_became_blanks_are_plus_signs_again():
    text, compressed = WITH_PLUS_SIGNS
    for received in (
        Received(f"data={compressed}&compression=lz64".encode(), content_type=FORM),
        Received(b"", data=compressed.replace("+", " "), compression="lz64"),
    ):
        assert decode(received, largest=10_000, is_legacy=True) == text
