//! gRPC calls whose messages are bytes.

use prost::bytes::{Buf as _, BufMut as _};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

/// Messages are the bytes that they are.
#[derive(Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// Calls `path` with these messages, and returns all answers.
pub async fn call_with(
    channel: Channel,
    path: &'static str,
    messages: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Status> {
    let mut client = Grpc::new(channel);
    client
        .ready()
        .await
        .map_err(|e| Status::unavailable(e.to_string()))?;
    let messages = Request::new(tokio_stream::iter(messages));
    let answers = client
        .streaming(messages, PathAndQuery::from_static(path), Bytes)
        .await?;
    let mut answers = answers.into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await? {
        all.push(answer);
    }
    Ok(all)
}

/// Opens `count` streams of the link that say nothing and are kept open.
pub async fn open_and_say_nothing(channel: Channel, count: usize) -> Vec<Streaming<Vec<u8>>> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut client = Grpc::new(channel.clone());
        client.ready().await.expect("the connection is good");
        let path = PathAndQuery::from_static("/qkd.link.v1.Link/Connect");
        let silence = tokio_stream::pending::<Vec<u8>>();
        let answers = client.streaming(Request::new(silence), path, Bytes).await;
        open.push(answers.expect("a call is taken").into_inner());
    }
    open
}
