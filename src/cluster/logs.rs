//! The last lines of a container.

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{Call, built_in, object_path},
};
use crate::model::ObjectId;

const LONGEST_LINE: usize = 2000;

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
        let pods = built_in("", "v1", "Pod", "pods");
        let count = lines.to_string();
        let query = format!(
            "/log?container={container}&previous={previous}&tailLines={count}",
            container = super::request::escaped(container)
        );
        let mut call = Call::get(format!("{}{query}", object_path(&pods, pod, &[]))).about(pod);
        call.accept = "*/*";
        let text = self.ask_text(&call).await.map_err(|failure| self.explain(failure, Some(pod)))?;
        Ok(text.lines().map(|line| line.chars().take(LONGEST_LINE).collect()).collect())
    }
}
