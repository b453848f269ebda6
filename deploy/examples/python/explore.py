"""Asks a node by reflection what it serves, and calls one method, without any generated code.

Usage: python explore.py PROFILE PARTNER        for instance: explore.py DIR/sae-alice.toml sae-bob
"""

import pathlib
import sys
import tomllib

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SECONDS = 10


def connect(profile: pathlib.Path) -> grpc.Channel:
    settings = tomllib.loads(profile.read_text())
    client, tls = settings["client"], settings["tls"]
    read = lambda key: (profile.parent / tls[key]).read_bytes()
    credentials = grpc.ssl_channel_credentials(
        read("authority"), read("private_key"), read("certificate")
    )
    options = [("grpc.ssl_target_name_override", client["node"])]
    return grpc.secure_channel(client["services"], credentials, options)


def main(profile: pathlib.Path, partner: str) -> None:
    with connect(profile) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        for name in sorted(database.get_services()):
            for method in pool.FindServiceByName(name).methods:
                print(f"{name}/{method.name}: {method.input_type.name} -> {method.output_type.name}")
        service = pool.FindServiceByName("qkd.delivery.v1.KeyDelivery")
        method = service.methods_by_name["GetStatus"]
        call = channel.unary_unary(
            f"/{service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        request = GetMessageClass(method.input_type)(slave_sae_id=partner)
        print(json_format.MessageToJson(call(request, timeout=SECONDS)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(pathlib.Path(sys.argv[1]), sys.argv[2])
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
