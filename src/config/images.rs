//! The images of shipway.yaml: what is built, with which secrets, and where else the manifests name it.

use crate::model::{FieldPath, ImagePath, ImagePathError, Origin, Platform, Reference, ReferenceError, Sourced};

use super::{
    ConfigError, ImageSettings, SecretSettings,
    document::Document,
    file::{ImageFile, ImagePathFile, SecretFile},
    settings::SecretSource,
};

pub(super) fn images(document: &Document<'_>, written: Vec<ImageFile>) -> Result<Vec<ImageSettings>, ConfigError> {
    let mut images: Vec<ImageSettings> = Vec::with_capacity(written.len());
    for (index, image) in written.into_iter().enumerate() {
        let path = FieldPath::default().key("images").index(index);
        let name = path.key("name");
        let reference: Reference = image
            .name
            .parse()
            .map_err(|error: ReferenceError| document.wrong(&name, format!("is no image repository: {error}"), None))?;
        if reference.tag.is_some() || reference.digest.is_some() {
            let hint = Some(format!("write `{}`: shipway puts in the tag", reference.repository));
            return Err(document.wrong(&name, "has a tag or digest", hint));
        }
        if images.iter().any(|other| other.repository.value == reference.repository) {
            return Err(document.wrong(&name, "stands twice", None));
        }
        let context = image.context.unwrap_or_else(|| ".".into());
        let in_context = match context.trim_end_matches('/') {
            "." | "" => "Dockerfile".to_owned(),
            folder => format!("{folder}/Dockerfile"),
        };
        images.push(ImageSettings {
            repository: Sourced::new(reference.repository, document.origin(&name)),
            dockerfile: image.dockerfile.unwrap_or(in_context),
            context,
            target: image.target,
            args: image.args.unwrap_or_default(),
            secrets: secrets(document, &path, image.secrets.unwrap_or_default())?,
            platform: platform(document, &path, image.platform)?,
        });
    }
    Ok(images)
}

/// `os/architecture`, and sometimes a variant.
fn platform(
    document: &Document<'_>,
    image: &FieldPath,
    written: Option<String>,
) -> Result<Option<Platform>, ConfigError> {
    match written {
        Some(text) if !matches!(text.split('/').filter(|part| !part.is_empty()).count(), 2 | 3) => {
            Err(document.wrong(&image.key("platform"), "is no platform", Some("write it as in `linux/amd64`".into())))
        }
        written => Ok(written.map(Platform)),
    }
}

/// Each from a file or from a variable; the values are read when something is built.
fn secrets(
    document: &Document<'_>,
    image: &FieldPath,
    written: Vec<SecretFile>,
) -> Result<Vec<SecretSettings>, ConfigError> {
    let mut secrets: Vec<SecretSettings> = Vec::with_capacity(written.len());
    for (index, secret) in written.into_iter().enumerate() {
        let path = image.key("secrets").index(index);
        let remedy = || Some("write `{id: token, env: NPM_TOKEN}`, or `{id: npmrc, file: ~/.npmrc}`".to_owned());
        let source = match (secret.file, secret.env) {
            (Some(file), None) if !file.is_empty() => SecretSource::File(file),
            (None, Some(variable)) if !variable.is_empty() => SecretSource::Variable(variable),
            _ => return Err(document.wrong(&path, "needs `file` or `env`, and not both", remedy())),
        };
        if secret.id.is_empty() {
            return Err(document.wrong(&path.key("id"), "is empty", remedy()));
        }
        if secrets.iter().any(|other| other.id == secret.id) {
            return Err(document.wrong(&path.key("id"), "stands twice", None));
        }
        secrets.push(SecretSettings { id: secret.id, source: Sourced::new(source, document.origin(&path)) });
    }
    Ok(secrets)
}

pub(super) fn image_paths(
    document: &Document<'_>,
    written: Option<Vec<ImagePathFile>>,
) -> Result<Sourced<Vec<ImagePath>>, ConfigError> {
    let Some(written) = written else { return Ok(Sourced::new(Vec::new(), Origin::Default)) };
    let all = FieldPath::default().key("image_paths");
    let read = |(index, entry): (usize, ImagePathFile)| {
        ImagePath::new(&entry.kind, &entry.path).map_err(|error| {
            let (key, example) = match error {
                ImagePathError::Kind => ("kind", "Workflow.argoproj.io"),
                ImagePathError::Path => ("path", "spec.templates[].container"),
            };
            let hint = Some(format!("write it as in `{example}`"));
            document.wrong(&all.index(index).key(key), error.to_string(), hint)
        })
    };
    let paths = written.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Sourced::new(paths, document.origin(&all)))
}
