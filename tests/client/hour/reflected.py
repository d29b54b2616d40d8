"""A client of gRPC that is made of nothing but what the server says of itself: no file of its services is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

Said = dict[str, Any]


class Reflected:
    """Calls whatever is described at an address. Messages are JSON, with the names of the protos.

    Parameters:
      target: host and port.
      seconds: of one call.
      metadata: what is sent with each call, such as `authorization`.
    """

    def __init__(self, target: str, seconds: float, metadata: Sequence[tuple[str, str]] = ()) -> None:
        self._channel = grpc.insecure_channel(target)
        self._more = {"timeout": seconds, "metadata": metadata}
        database = ProtoReflectionDescriptorDatabase(self._channel)
        pool = DescriptorPool(database)
        self.methods = {
            method.name: method
            for name in database.get_services()
            if not name.startswith("grpc.")
            for method in pool.FindServiceByName(name).methods
        }

    def call(self, name: str, **message: Any) -> Said:
        """The answer of a method."""
        return said(self._stub("unary_unary", name)(self._made(name, message), **self._more))

    def stream(self, name: str, **message: Any) -> Iterator[Said]:
        """What a method answers one after the other. It is under way when this returns."""
        answers = self._stub("unary_stream", name)(self._made(name, message), **self._more)
        answers.initial_metadata()
        return map(said, answers)

    def send(self, name: str, *messages: Said) -> Said:
        """The answer of a method that takes several messages."""
        made = iter([self._made(name, message) for message in messages])
        return said(self._stub("stream_unary", name)(made, **self._more))

    def close(self) -> None:
        """Close the connection; streams end."""
        self._channel.close()

    def _made(self, name: str, message: Said) -> Any:
        return ParseDict(message, GetMessageClass(self.methods[name].input_type)())

    def _stub(self, kind: str, name: str) -> Any:
        method = self.methods[name]
        return getattr(self._channel, kind)(
            f"/{method.containing_service.full_name}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )


def said(message: Any) -> Said:
    """A message as JSON."""
    shown: Said = MessageToDict(message, preserving_proto_field_name=True)
    return shown
