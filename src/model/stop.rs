//! The token that ends a run: no new write starts once it is set.

use tokio::sync::watch;

/// Set by SIGINT or SIGTERM, and by the loss of the lease. Clones share it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once the token is set.
    pub async fn wait(&self) {
        let mut receiver = self.0.subscribe();
        // the sender lives in `self`, so the channel cannot close under us
        let _ = receiver.wait_for(|set| *set).await;
    }
}
