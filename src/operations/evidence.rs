//! Answers what a judge wants to know and cannot see in the watches.

use super::follow::Witnesses;
use crate::{
    model::{Question, Reply},
    registry::RegistryError,
};

/// How many lines of a container's log are worth reading in a failure.
const LOG_LINES: usize = 25;

pub(super) async fn answer(witnesses: &Witnesses<'_>, question: Question) -> (Question, Reply) {
    let reply = match &question {
        Question::ImageExists(reference) => match witnesses.registry.resolve(reference).await {
            Ok(_) => Reply::ImageFound,
            Err(error) => missing_or_unknown(&error),
        },
        Question::ImageContent(reference) => match witnesses.registry.resolve(reference).await {
            Ok(image) => Reply::Image(Box::new(image)),
            Err(error) => missing_or_unknown(&error),
        },
        // where it cannot be known, there may be one
        Question::HasStatus(resource) => {
            Reply::HasStatus(witnesses.cluster.may_have_status(resource).await.unwrap_or(true))
        }
        Question::LastLog { pod, container, previous, .. } => {
            match witnesses.cluster.last_log(pod, container, *previous, LOG_LINES).await {
                Ok(lines) => Reply::Log(lines),
                Err(error) => Reply::LogUnavailable(error.to_string()),
            }
        }
    };
    (question, reply)
}

fn missing_or_unknown(error: &RegistryError) -> Reply {
    match error {
        RegistryError::NotFound { .. } => Reply::ImageMissing,
        RegistryError::Denied { .. } | RegistryError::LoginRejected { .. } => Reply::ImageDenied,
        _ => Reply::ImageUnknown(error.to_string()),
    }
}
