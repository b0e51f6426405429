//! What a container writes: its last lines, and its lines as they come.

use futures::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, Stream};

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{Call, built_in, escaped, object_path},
};
use crate::model::ObjectId;

const LONGEST_LINE: usize = 2000;
/// Of a line that is longer no more than this is read into memory at once: four bytes a character.
const LONGEST_PIECE: u64 = 4 * LONGEST_LINE as u64;

impl Cluster {
    /// The last `lines` lines of a container's log (GET pods/log), oldest first; `previous` for the instance before the
    /// running one. Lines are cut at 2,000 characters.
    ///
    /// # Errors
    /// Also where the container has not started, or has no previous instance: the server says which.
    pub(crate) async fn last_log(
        &self,
        pod: &ObjectId,
        container: &str,
        previous: bool,
        lines: usize,
    ) -> Result<Vec<String>, ClusterError> {
        let call = log_call(pod, container, &format!("previous={previous}&tailLines={lines}"));
        let text = self.ask_text(&call).await.map_err(|failure| self.explain(failure, Some(pod)))?;
        Ok(text.lines().map(cut).collect())
    }

    /// The lines a container has written and writes, until it ends (GET pods/log, follow). They are cut at 2,000
    /// characters, and bytes that are no text are replaced.
    ///
    /// # Errors
    /// Where the container has not started; in the stream, where the connection is cut.
    pub(crate) async fn follow_log(
        &self,
        pod: &ObjectId,
        container: &str,
    ) -> Result<impl Stream<Item = Result<String, ClusterError>> + use<>, ClusterError> {
        let call = log_call(pod, container, "follow=true");
        let reader = self.open(&call, async |client, request| client.request_stream(request).await).await?;
        let reader = Box::pin(reader);
        let cluster = self.clone();
        Ok(futures::stream::try_unfold((reader, cluster), |(mut reader, cluster)| async move {
            match next_line(&mut reader).await {
                Ok(line) => Ok(line.map(|line| (line, (reader, cluster)))),
                Err(error) => Err(cluster.unreachable(format!("the log was cut: {error}"))),
            }
        }))
    }
}

fn log_call(pod: &ObjectId, container: &str, query: &str) -> Call {
    let pods = built_in("", "v1", "Pod", "pods");
    let path = format!("{}/log?container={}&{query}", object_path(&pods, pod, &[]), escaped(container));
    let mut call = Call::get(path).about(pod);
    call.accept = "*/*";
    call
}

/// None at the end.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut piece = Vec::new();
    loop {
        piece.clear();
        let read = reader.take(LONGEST_PIECE).read_until(b'\n', &mut piece).await?;
        if line.is_empty() {
            line.extend_from_slice(&piece);
        }
        match (read, piece.last()) {
            (0, _) if line.is_empty() => return Ok(None),
            (0, _) | (_, Some(b'\n')) => {
                return Ok(Some(cut(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))));
            }
            // the rest of a long line is passed over
            _ => {}
        }
    }
}

fn cut(line: &str) -> String {
    line.chars().take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_and_long_ones_are_cut() {
        let long = "x".repeat(20_000);
        let text = format!("one\r\n\n{long}\ntwo\u{fffd}\nno end");
        let mut reader = futures::io::Cursor::new(text);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut reader).await.unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", &long[..LONGEST_LINE], "two\u{fffd}", "no end"]);
    }
}
