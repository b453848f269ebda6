"""Fetches one key at Alice's node and the same key at Bob's, and compares the two.

Usage: python get_key.py FOLDER

FOLDER has the client profiles sae-alice.toml and sae-bob.toml, as `qkd lab --serve --keep FOLDER`
writes them. README.md says how to generate the package `qkd` that is imported here.
"""

import hmac
import pathlib
import sys
import tomllib

import grpc
from qkd.delivery.v1 import delivery_pb2, delivery_pb2_grpc

SECONDS = 10


def connect(profile: pathlib.Path) -> tuple[str, grpc.Channel]:
    """Returns the application's name and a channel to its node: TLS in both directions."""
    settings = tomllib.loads(profile.read_text())
    client, tls = settings["client"], settings["tls"]
    read = lambda key: (profile.parent / tls[key]).read_bytes()
    credentials = grpc.ssl_channel_credentials(
        read("authority"), read("private_key"), read("certificate")
    )
    # The node's certificate names the node, not its address.
    options = [("grpc.ssl_target_name_override", client["node"])]
    return client["name"], grpc.secure_channel(client["services"], credentials, options)


def main(folder: pathlib.Path) -> None:
    master, master_channel = connect(folder / "sae-alice.toml")
    slave, slave_channel = connect(folder / "sae-bob.toml")
    with master_channel, slave_channel:
        alice = delivery_pb2_grpc.KeyDeliveryStub(master_channel)
        bob = delivery_pb2_grpc.KeyDeliveryStub(slave_channel)
        request = delivery_pb2.GetKeyRequest(slave_sae_id=slave)
        ours = alice.GetKey(request, timeout=SECONDS).keys[0]
        # Only the key_ID travels from one application to the other, never the key.
        request = delivery_pb2.GetKeyWithIdsRequest(master_sae_id=master, key_ids=[ours.key_id])
        theirs = bob.GetKeyWithIds(request, timeout=SECONDS).keys[0]
    if not hmac.compare_digest(ours.key, theirs.key):
        sys.exit(f"{ours.key_id}: the two ends hold different keys")
    print(f"{ours.key_id}: the same {8 * len(ours.key)} bits at both ends")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(pathlib.Path(sys.argv[1]))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
