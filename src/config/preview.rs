//! Namespaces that come and go: made by a deploy, with a time to live and Secrets of another namespace.

use crate::model::{FieldPath, Sourced};

use super::{
    ConfigError,
    document::Document,
    file::{CopySecretsFile, EnvironmentFile},
    names::is_dns_label,
    resolve::seconds,
    settings::{CopySecrets, PreviewSettings},
};

/// Takes what an environment says about its namespace out of `written`.
///
/// # Errors
/// A time to live that cannot be kept: of a namespace that shipway does not make, or of a guarded environment, which is
/// never destroyed.
pub(super) fn read(
    document: &Document<'_>,
    environment: &FieldPath,
    written: &mut EnvironmentFile,
    confirm: bool,
) -> Result<PreviewSettings, ConfigError> {
    let create_namespace = written.create_namespace.unwrap_or(false);
    let path = environment.key("ttl");
    let ttl = match written.ttl.take() {
        None => None,
        Some(_) if confirm => {
            let hint = "remove it, or write `confirm: false`".to_owned();
            return Err(document.wrong(&path, "stands where `confirm` is set, which is never destroyed", Some(hint)));
        }
        Some(_) if !create_namespace => {
            let hint = "add `create_namespace: true`".to_owned();
            return Err(document.wrong(&path, "counts only for a namespace that shipway makes", Some(hint)));
        }
        Some(length) => match seconds(&length).filter(|seconds| *seconds > 0.0) {
            Some(seconds) => Some(Sourced::new(seconds, document.origin(&path))),
            None => {
                return Err(document.wrong(
                    &path,
                    "is no length of time",
                    Some("write it as in `90m` or `72h`".to_owned()),
                ));
            }
        },
    };
    let path = environment.key("copy_secrets");
    let copy_secrets = written.copy_secrets.take().map(|written| copy_secrets(document, &path, written)).transpose()?;
    Ok(PreviewSettings { create_namespace, ttl, copy_secrets })
}

fn copy_secrets(
    document: &Document<'_>,
    path: &FieldPath,
    written: CopySecretsFile,
) -> Result<CopySecrets, ConfigError> {
    let from = path.key("from");
    if !is_dns_label(&written.from) {
        return Err(document.wrong(&from, "is no name of a namespace (a-z, 0-9 and `-`, at most 63)", None));
    }
    let from = Sourced::new(written.from, document.origin(&from));
    Ok(CopySecrets { from, names: written.names })
}
