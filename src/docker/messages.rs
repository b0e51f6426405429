//! The few messages that we exchange with BuildKit, field numbers as in its protocol files:
//! moby/buildkit `api/services/control/control.proto`, `session/auth/auth.proto`, `session/secrets/secrets.proto`, tonistiigi/fsutil
//! `types/wire.proto` and `types/stat.proto`, grpc/grpc-proto `grpc/health/v1/health.proto` and googleapis `google/rpc/status.proto`.
//! Fields that we neither set nor read are left out.

use std::collections::HashMap;

use prost_types::Timestamp;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SolveRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "3")]
    pub exporter: String,
    #[prost(map = "string, string", tag = "4")]
    pub exporter_attributes: HashMap<String, String>,
    #[prost(string, tag = "5")]
    pub session: String,
    #[prost(string, tag = "6")]
    pub frontend: String,
    #[prost(map = "string, string", tag = "7")]
    pub frontend_attributes: HashMap<String, String>,
    /// Empty, but engines of 2020 dereference it.
    #[prost(message, optional, tag = "8")]
    pub cache: Option<CacheOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CacheOptions {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SolveResponse {
    #[prost(map = "string, string", tag = "1")]
    pub exporter_response: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusResponse {
    #[prost(message, repeated, tag = "1")]
    pub vertexes: Vec<Vertex>,
    #[prost(message, repeated, tag = "3")]
    pub logs: Vec<VertexLog>,
}

/// One step of a build; sent anew whenever it changes.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Vertex {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(bool, tag = "4")]
    pub cached: bool,
    #[prost(message, optional, tag = "5")]
    pub started: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub completed: Option<Timestamp>,
    #[prost(string, tag = "7")]
    pub error: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VertexLog {
    #[prost(string, tag = "1")]
    pub vertex: String,
    /// 1 is standard output, 2 standard error.
    #[prost(int64, tag = "3")]
    pub stream: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub message: Vec<u8>,
}

/// A piece of the session's byte stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BytesMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CredentialsRequest {
    #[prost(string, tag = "1")]
    pub host: String,
}

/// Its secret is not for printing: no `Debug`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct CredentialsResponse {
    #[prost(string, tag = "1")]
    pub username: String,
    #[prost(string, tag = "2")]
    pub secret: String,
}

impl std::fmt::Debug for CredentialsResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialsResponse(***)")
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SecretRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}

/// Not for printing: no `Debug`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct SecretResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

impl std::fmt::Debug for SecretResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretResponse(***)")
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HealthRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HealthResponse {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// `HealthCheckResponse.ServingStatus.SERVING`
pub(super) const SERVING: i32 = 1;

/// A message of the file transfer, in both directions.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Packet {
    #[prost(enumeration = "PacketType", tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub stat: Option<Stat>,
    #[prost(uint32, tag = "3")]
    pub id: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: bytes::Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum PacketType {
    Stat = 0,
    Request = 1,
    Data = 2,
    Finish = 3,
    Error = 4,
}

/// An entry of the context. Owner and group stay 0: the image's files belong to root.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Stat {
    /// Relative, with slashes.
    #[prost(string, tag = "1")]
    pub path: String,
    /// Go's `os.FileMode`, whose type bits are not those of Unix.
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// Nanoseconds since the epoch.
    #[prost(int64, tag = "6")]
    pub modified: i64,
    #[prost(string, tag = "7")]
    pub link: String,
}

/// `google.rpc.Status`, as in `grpc-status-details-bin`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<prost_types::Any>,
}
