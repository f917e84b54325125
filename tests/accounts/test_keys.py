import re
import time

from core6.accounts import keys
from core6.accounts.ids import uuid7


def test_a_key_is_its_prefix_and_at_least_200_random_bits_in_base62():
    made = {keys.generate() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"phx_[0-9A-Za-z]{40,48}", key) for key in made)
    assert {len(key) for key in made} >= {51, 52}


def test_the_digest_is_the_real_services():
    expected = "sha256$45af89b510a3279a817f851de5d3f95b73485d58ec2672a39e52d8aeeb014059"
    assert keys.digest("test_key_12345") == expected


def test_ids_are_uuids_of_version_7_in_the_order_of_time():
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()
    for made in (first, second):
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert first < second
    assert abs((first.int >> 80) - time.time_ns() // 1_000_000) < 5000
