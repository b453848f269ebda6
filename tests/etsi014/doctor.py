"""Both ends of a link through qkdsec, and its doctor's report of the first one as JSON.

ADDRESS CERTIFICATE KEY AUTHORITY, twice."""

import sys

from qkdsec.client import ETSI014Client
from qkdsec.doctor import format_json, run_all


def client(address, certificate, key, authority):
    return ETSI014Client(f"https://{address}", client_cert=(certificate, key), verify=authority)


alice, bob = client(*sys.argv[1:5]), client(*sys.argv[5:9])
for method in ("GET", "POST"):
    mine = alice.get_enc_keys("sae-bob", number=2, size=512, method=method)
    ids = [key.key_id for key in mine]
    # Its parameter is called slave_sae_id, and is the other SAE.
    theirs = bob.get_dec_keys("sae-alice", key_ids=ids)
    assert [(k.key_id, k.key) for k in mine] == [(k.key_id, k.key) for k in theirs]

print(format_json(run_all(alice, "sae-bob")))
