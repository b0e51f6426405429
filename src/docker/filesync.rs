//! The context, sent as BuildKit asks for it: every entry's properties first, then the bytes of those files that changed
//! since its last copy (fsutil's `DiffCopy`).

use std::{
    collections::HashMap,
    io::Read as _,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::{Status, Streaming, metadata::MetadataMap};

use super::{
    DockerError,
    follow::follow,
    messages::{Packet, PacketType},
    pattern::{PatternError, Patterns},
    walk::{Filter, open, unreadable, walk},
};

/// Files that are read at once.
const READERS: usize = 4;
const CHUNK: usize = 64 * 1024;
/// Packets on their way; with [`CHUNK`] it bounds the memory.
const QUEUE: usize = 32;

/// The folders of one build. Clones share it.
#[derive(Clone)]
pub(super) struct FileSync(Arc<Shared>);

struct Shared {
    /// `context` and `dockerfile`, as BuildKit names them.
    folders: HashMap<&'static str, PathBuf>,
    files: AtomicU64,
    bytes: AtomicU64,
    failed: Mutex<Option<DockerError>>,
}

type Packets = mpsc::Sender<Result<Packet, Status>>;

impl FileSync {
    pub(super) fn new(context: &Path, dockerfiles: &Path) -> Self {
        Self(Arc::new(Shared {
            folders: HashMap::from([("context", context.to_owned()), ("dockerfile", dockerfiles.to_owned())]),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failed: Mutex::new(None),
        }))
    }

    /// Files and bytes sent so far, the Dockerfile among them.
    pub(super) fn sent(&self) -> (u64, u64) {
        (self.0.files.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed))
    }

    /// Why sending failed: the engine's account of it is vague.
    pub(super) fn failure(&self) -> Option<DockerError> {
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: DockerError) -> String {
        let text = error.to_string();
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        text
    }

    fn folder(&self, metadata: &MetadataMap) -> Result<PathBuf, Status> {
        let name = values(metadata, "dir-name").into_iter().next().unwrap_or_default();
        let folder = self.0.folders.get(name.as_str());
        folder.cloned().ok_or_else(|| Status::not_found(format!("no access to folder `{name}`")))
    }
}

impl tonic::server::StreamingService<Packet> for FileSync {
    type Response = Packet;
    type ResponseStream = ReceiverStream<Result<Packet, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<Packet>>) -> Self::Future {
        let files = self.clone();
        Box::pin(async move {
            let folder = files.folder(request.metadata())?;
            let filter =
                filter(&folder, request.metadata()).map_err(|error| Status::invalid_argument(error.to_string()))?;
            let (packets, stream) = mpsc::channel(QUEUE);
            tokio::spawn(transfer(files, folder, filter, request.into_inner(), packets));
            Ok(tonic::Response::new(ReceiverStream::new(stream)))
        })
    }
}

/// Which entries the engine wants.
fn filter(folder: &Path, metadata: &MetadataMap) -> Result<Filter, PatternError> {
    let mut include = values(metadata, "include-patterns");
    let paths = values(metadata, "followpaths");
    if !paths.is_empty() {
        include.extend(follow(folder, &paths)?);
    }
    Ok(Filter { include: Patterns::new(include)?, exclude: Patterns::new(values(metadata, "exclude-patterns"))? })
}

/// The values of a key; newer engines percent-encode what is not ASCII, older ones send it as it is.
fn values(metadata: &MetadataMap, key: &str) -> Vec<String> {
    let is_encoded = metadata.get(format!("{key}-encoded")).is_some_and(|mark| mark.as_bytes() == b"1");
    let values = metadata.get_all(key).iter().map(|value| value.as_bytes());
    values.map(|value| if is_encoded { decoded(value) } else { String::from_utf8_lossy(value).into_owned() }).collect()
}

/// Undoes Go's `url.QueryEscape`.
fn decoded(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &after[2..];
            }
            None => bytes.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Files that may be asked for, by number.
type Offered = Arc<Mutex<HashMap<u32, PathBuf>>>;

async fn transfer(files: FileSync, folder: PathBuf, filter: Filter, asked: Streaming<Packet>, packets: Packets) {
    let offered = Offered::default();
    let (wanted, queue) = mpsc::unbounded_channel();
    let offering = {
        let (files, offered, packets) = (files.clone(), Arc::clone(&offered), packets.clone());
        tokio::task::spawn_blocking(move || offer(&files, &folder, &filter, &offered, &packets))
    };
    let reading = UnboundedReceiverStream::new(queue).for_each_concurrent(READERS, |(id, file): (u32, PathBuf)| {
        let (files, packets) = (files.clone(), packets.clone());
        let reading = tokio::task::spawn_blocking(move || read(&files, id, &file, &packets));
        reading.map(drop)
    });
    let _ = tokio::join!(offering, reading, listen(asked, &offered, wanted, &packets));
}

/// Takes every request at once, however many wait to be answered: HTTP/2 counts small messages that nobody reads
/// as an attack and closes the connection.
async fn listen(
    mut asked: Streaming<Packet>,
    offered: &Offered,
    wanted: mpsc::UnboundedSender<(u32, PathBuf)>,
    packets: &Packets,
) {
    while let Ok(Some(packet)) = asked.message().await {
        match packet.kind() {
            PacketType::Request => {
                let file = offered.lock().unwrap_or_else(PoisonError::into_inner).remove(&packet.id);
                let Some(file) = file else { break };
                if wanted.send((packet.id, file)).is_err() {
                    break;
                }
            }
            PacketType::Finish => {
                let _ = packets.send(Ok(packet_of(PacketType::Finish))).await;
                break;
            }
            PacketType::Error => break,
            PacketType::Stat | PacketType::Data => {}
        }
    }
}

/// Tells every wanted entry, and then that there are no more.
fn offer(files: &FileSync, folder: &Path, filter: &Filter, offered: &Offered, packets: &Packets) {
    let mut number = 0;
    let outcome = walk(folder, filter, &mut |entry| {
        if entry.is_regular() {
            offered.lock().unwrap_or_else(PoisonError::into_inner).insert(number, entry.file);
        }
        number += 1;
        let packet = Packet { stat: Some(entry.stat), ..packet_of(PacketType::Stat) };
        packets.blocking_send(Ok(packet)).is_ok()
    });
    let last = match outcome {
        Ok(()) => packet_of(PacketType::Stat),
        Err(error) => Packet { data: files.fail(error).into(), ..packet_of(PacketType::Error) },
    };
    let _ = packets.blocking_send(Ok(last));
}

/// Sends a file's bytes and an empty packet as their end.
fn read(files: &FileSync, id: u32, file: &Path, packets: &Packets) {
    let copy = || -> std::io::Result<()> {
        let mut source = open(file)?;
        loop {
            let mut data = bytes::BytesMut::zeroed(CHUNK);
            let length = source.read(&mut data)?;
            data.truncate(length);
            let packet = Packet { id, data: data.freeze(), ..packet_of(PacketType::Data) };
            if packets.blocking_send(Ok(packet)).is_err() || length == 0 {
                return Ok(());
            }
            files.0.bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
    };
    match copy() {
        Ok(()) => {
            files.0.files.fetch_add(1, Ordering::Relaxed);
        }
        Err(source) => {
            let data = files.fail(unreadable(file, source)).into();
            let _ = packets.blocking_send(Ok(Packet { data, ..packet_of(PacketType::Error) }));
        }
    }
}

fn packet_of(kind: PacketType) -> Packet {
    Packet { kind: kind.into(), ..Packet::default() }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::AsciiMetadataValue;

    use super::*;

    #[test]
    fn metadata_is_read_plain_and_encoded() {
        let mut metadata = MetadataMap::new();
        metadata.append("exclude-patterns", "a+b%41".parse::<AsciiMetadataValue>().unwrap());
        metadata.append("exclude-patterns", "c".parse::<AsciiMetadataValue>().unwrap());
        assert_eq!(values(&metadata, "exclude-patterns"), ["a+b%41", "c"]);
        metadata.insert("exclude-patterns-encoded", "1".parse::<AsciiMetadataValue>().unwrap());
        assert_eq!(values(&metadata, "exclude-patterns"), ["a bA", "c"]);
        assert_eq!(decoded("%C3%A4%2B%zz%".as_bytes()), "ä+%zz%");
        assert_eq!(values(&metadata, "followpaths"), Vec::<String>::new());
    }
}
