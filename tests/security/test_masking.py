import pytest

from core6.security.masking import mask_key


@pytest.mark.parametrize(
    ("key", "mask"),
    [("phx_0123456789abcd", "phx_...abcd"), ("phx_short", "********"), ("", "********"), (None, None)],
)
def test_the_mask_shows_little(key: str | None, mask: str | None):
    assert mask_key(key) == mask
