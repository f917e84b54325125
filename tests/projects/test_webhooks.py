import pytest

from tests.conftest import Caller, Cast, invalid
from tests.support.stored import everything, store
from tests.support.urls import projects_url as url

REFUSAL = invalid(
    "invalid_input",
    "Invalid webhook URL: use an https:// address of a public host, without a user.",
    "slack_incoming_webhook",
)


def wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def arabic(text: str) -> str:
    return "".join(chr(ord(character) + 0x630) if character.isdigit() else character for character in text)


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.slack.com/services/T0/B0/x",
        "https://hooks.slack.com",
        "HTTPS://Hooks.Slack.COM/x",
        "https://example.com:8443/x?y=z#f",
        "https://example.com./x",
        "https://example.com/@here",
        "https://example.com/?to=a@b.example",
        "https://8.8.8.8/x",
        "https://172.32.0.1/x",
        "https://[2606:4700:4700::1111]/x",
        "https://[2606:4700:4700::1111]:8443/x",
        "https://[::ffff:8.8.8.8]/x",
        "https://bücher.de/x",
        "https://xn--bcher-kva.de/x",
        "https://пример.рф/x",
        "https://xn--e1afmkfd.xn--p1ai/x",
        "https://example.com:/x",
        "https://[2002:808:808::]/x",
        # Names are not looked up, of any form.
        "https://127.0.0.1.nip.io/x",
        "https://localhost.example.com/x",
        "https://10.example.com/x",
        "https://0x7f.example.com/x",
        "https://local.example.com/x",
        "https://svc.example.com/x",
        "https://test.example.com/x",
        "https://internal.example.com/x",
    ],
)
def test_public_addresses_are_accepted(cast: Cast, alice: Caller, address: str):
    response = alice.patch(url(cast, cast.web), {"slack_incoming_webhook": address})
    assert (response.status_code, response.json().get("slack_incoming_webhook")) == (200, address)


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.slack.com/x",
        "ftp://hooks.slack.com/x",
        "javascript:alert(1)",
        "hooks.slack.com/x",
        "//hooks.slack.com/x",
        "https:hooks.slack.com/x",
        "https:/hooks.slack.com/x",
        "https://",
        "https:///x",
        "https://:8443/x",
        "no address at all",
        # Users
        "https://user@hooks.slack.com/x",
        "https://user:secret@hooks.slack.com/x",
        "https://@hooks.slack.com/x",
        "https://hooks.slack.com@127.0.0.1/x",
        # Names of inside
        "https://localhost/x",
        "https://LOCALHOST:8443/x",
        "https://localhost./x",
        "https://localhost../x",
        "https://localhost.localdomain/x",
        "https://hooks.localhost/x",
        "https://router.lan/x",
        "https://files.corp/x",
        "https://nas.home/x",
        "https://wiki.INTRANET/x",
        "https://db.private./x",
        "https://router.home.arpa/x",
        "https://1.0.0.127.in-addr.arpa/x",
        "https://printer.local/x",
        "https://metadata.google.internal/x",
        "https://metadata.google.internal./x",
        "https://hooks.test/x",
        "https://hooks.TEST./x",
        "https://hooks.default.svc/x",
        "https://hooks.default.svc.cluster.local/x",
        "https://hooks.example/x",
        "https://hooks.invalid/x",
        "https://hooks.onion/x",
        "https://hooks.alt/x",
        "https://hooks.mail/x",
        "https://hooks.\uff54\uff45\uff53\uff54/x",
        "https://intranet/x",
        "https://intranet./x",
        # IPv4
        "https://127.0.0.1/x",
        "https://127.0.0.1./x",
        "https://127.0.0.1../x",
        "https://127.0.0.1:8443/x",
        "https://127.255.255.254/x",
        "https://0.0.0.0/x",
        "https://10.0.0.1/x",
        "https://172.16.0.1/x",
        "https://172.31.255.255/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://198.18.0.1/x",
        "https://192.0.0.8/x",
        "https://192.0.2.1/x",
        "https://192.88.99.1/x",
        "https://203.0.113.1/x",
        "https://224.0.0.1/x",
        "https://240.0.0.1/x",
        "https://255.255.255.255/x",
        # IPv4 as other programs read it
        "https://2130706433/x",
        "https://2130706433./x",
        "https://0x7f000001/x",
        "https://0X7F000001/x",
        "https://0x7f000001./x",
        "https://0x7f.0.0.1/x",
        "https://0x7f.1/x",
        "https://017700000001/x",
        "https://0177.0.0.1/x",
        "https://0177.0x0.0.1/x",
        "https://0000177.0.0.1/x",
        "https://08.8.8.8/x",
        "https://1.1.1.1.1/x",
        "https://a.0x7f/x",
        "https://a.1/x",
        "https://127.1/x",
        "https://127.0.1/x",
        "https://0/x",
        "https://%31%32%37.0.0.1/x",
        "https://127.0.0.%31/x",
        # IPv6
        "https://[::1]/x",
        "https://[0:0:0:0:0:0:0:1]/x",
        "https://[::]/x",
        "https://[fe80::1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[2606:4700:4700::1111%25eth0]/x",
        "https://[2606:4700:4700::1111%1]/x",
        "https://[fc00::1]/x",
        "https://[fd12:3456::1]/x",
        "https://[fec0::1]/x",
        "https://[ff02::1]/x",
        "https://[2001:db8::1]/x",
        # IPv4 inside IPv6: mapped, compatible, translated, 6to4, Teredo, NAT64
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[::FFFF:192.168.0.1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[::ffff:0:0]/x",
        "https://[::ffff:192.0.0.8]/x",
        "https://[2002:c000:8::]/x",
        "https://[::127.0.0.1]/x",
        "https://[::ffff:0:127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001:0:7f00:1::]/x",
        "https://[64:ff9b::127.0.0.1]/x",
        "https://[64:ff9b::10.0.0.1]/x",
        "https://[64:ff9b:1::1]/x",
        # Unicode that other programs read as the same
        f"https://{wide('127')}.{wide('0')}.{wide('0')}.{wide('1')}/x",
        "https://127。0。0。1/x",
        "https://127.0.0.1。/x",
        "https://①②⑦.⓪.⓪.①/x",
        f"https://{arabic('127.0.0.1')}/x",
        "https://१२७.0.0.1/x",
        f"https://example.{arabic('1')}/x",
        f"https://example.com:{wide('80')}/x",
        "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/x",
        "https://hooks.ⓛocalhost/x",
        f"https://{wide('localhost')}/x",
        f"https://hooks.{wide('localhost')}/x",
        "https://www.hooks。localhost/x",
        "https://hooks.local\u00adhost/x",
        f"https://example.com{wide('/')}@127.0.0.1/x",
        # Malformed
        "https://hooks.localhos%74/x",
        "https://[::1/x",
        "https://[example.com]/x",
        "https://[2606:4700:4700::1111]evil/x",
        "https://[2606:4700:4700::1111].example/x",
        "https://[2606:4700:4700::1111]:80:80/x",
        "https://evil[2606:4700:4700::1111]/x",
        "https://::1/x",
        "https://xn--a/x",
        "https://[v1.example]/x",
        "https://.example/x",
        "https://hooks..example/x",
        "https://example.com:99999/x",
        "https://example.com:port/x",
        "https://exa mple.com/x",
        "https://example.com\t/x",
        "https://example.com\n.example/x",
        "https://example.com\\@127.0.0.1/x",
    ],
)
def test_other_addresses_are_refused(cast: Cast, alice: Caller, address: str):
    before = everything()
    body = {"timezone": "Europe/Berlin", "slack_incoming_webhook": address}
    for response in (alice.patch(url(cast, cast.web), body), alice.post(url(cast), body)):
        assert (response.status_code, response.json()) == (400, REFUSAL)
    assert everything() == before


def test_an_address_loses_the_space_around_it(cast: Cast, alice: Caller):
    response = alice.patch(url(cast, cast.web), {"slack_incoming_webhook": " https://example.com/x\n"})
    assert response.json()["slack_incoming_webhook"] == "https://example.com/x"


def test_a_stored_address_that_would_be_refused_can_be_removed(cast: Cast, alice: Caller):
    store(cast.web, slack_incoming_webhook="http://localhost/x")
    assert alice.patch(url(cast, cast.web), {"timezone": "EST"}).json()["slack_incoming_webhook"] is not None
    response = alice.patch(url(cast, cast.web), {"slack_incoming_webhook": ""})
    assert (response.status_code, response.json()["slack_incoming_webhook"]) == (200, None)
