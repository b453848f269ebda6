"""Both ends of a link through etsi-qkd-014-client: ADDRESS CERTIFICATE KEY AUTHORITY, twice."""

import sys

from etsi_qkd_014_client import QKD014Client

alice, bob = (QKD014Client(*end) for end in (sys.argv[1:5], sys.argv[5:9]))


def expect(status, answer):
    got, body = answer
    assert got == status, f"{got}, expected {status}: {body}"
    return body


def agree(master, slave, master_id, slave_id, **order):
    mine = expect(200, master.get_key(slave_id, **order)).keys
    ids = [key.key_id for key in mine]
    theirs = expect(200, slave.get_key_with_key_IDs(master_id, ids)).keys
    assert [(k.key_id, k.key) for k in mine] == [(k.key_id, k.key) for k in theirs]
    assert len(mine) == order.get("number", 1)
    return ids


status = expect(200, alice.get_status("sae-bob"))
assert status.source_kme_id == "kme-alice" and status.slave_sae_id == "sae-bob"

# Roles alternate, by GET and by POST.
agree(alice, bob, "sae-alice", "sae-bob")
agree(bob, alice, "sae-bob", "sae-alice", number=2)
ids = agree(alice, bob, "sae-alice", "sae-bob", number=3, size=128)
agree(bob, alice, "sae-bob", "sae-alice", extension_optional=[{"colour": "red"}])

error = expect(400, bob.get_key_with_key_IDs("sae-alice", ids))
assert error.message == "one or more keys specified are not found on KME"
error = expect(400, alice.get_key("sae-bob", size=257))
assert error.message == "size shall be a multiple of 8"
error = expect(400, alice.get_key("sae-bob", extension_mandatory=[{"colour": "red"}]))
assert error.message == "not all extension_mandatory parameters are supported"
assert error.details == [{"extension_mandatory_unsupported": "colour"}]
expect(400, alice.get_key("sae-nobody"))

# A certificate at the wrong end: 401, whose body it parses as an Error object.
stranger = QKD014Client(sys.argv[1], *sys.argv[6:9])
assert "not served by" in expect(401, stranger.get_status("sae-bob")).message

print("the same keys at both ends")
