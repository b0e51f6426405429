use crate::{
    kinds::Removed,
    model::{BlueGreen, Evidence, Exit, Explain, ObjectId, Place, ReferenceError, Repository},
    yaml::YamlError,
};

/// Why manifests cannot be deployed as they are.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum RenderError {
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("no object in {}", names.join(", "))]
    Nothing { names: Vec<String> },
    #[error("a manifest is a mapping with apiVersion, kind and metadata, not {found}")]
    NotAnObject { found: &'static str, place: Option<Box<Place>> },
    #[error("the manifest has no `{field}`")]
    Missing { field: &'static str, place: Option<Box<Place>> },
    #[error("`{api_version}` is not an apiVersion (`v1`, `apps/v1`)")]
    ApiVersion { api_version: String, place: Option<Box<Place>> },
    #[error("`{path}` is {found}, and must be a text")]
    NotText { path: String, found: &'static str, place: Option<Box<Place>> },
    #[error("{kind} has generateName in the place of a name")]
    GenerateName { kind: String, place: Option<Box<Place>> },
    #[error("{object} stands twice in the manifests")]
    Twice { object: Box<ObjectId>, first: Option<Box<Place>>, place: Option<Box<Place>> },
    #[error("{what} stands twice in {object}, and the two differ")]
    Repeated { object: Box<ObjectId>, what: String, first: Option<Box<Place>>, place: Option<Box<Place>> },
    #[error("{api_version} {kind} is gone since Kubernetes {since}", since = removed.since)]
    Removed {
        api_version: String,
        kind: String,
        removed: Box<Removed>,
        also: Vec<&'static str>,
        place: Option<Box<Place>>,
    },
    #[error("{api_version} {kind} is not what its definition serves: {}", served.join(", "))]
    NotDefined { api_version: String, kind: String, served: Vec<String>, place: Option<Box<Place>> },
    #[error("`$patch: {directive}` is not known")]
    Directive { directive: String, place: Option<Box<Place>> },
    #[error("the overlay deletes {object}, which is not in the base")]
    NothingToDelete { object: Box<ObjectId>, place: Option<Box<Place>> },
    #[error("{object} is {size} bytes, and the API server takes at most 3 MiB")]
    TooLarge { object: Box<ObjectId>, size: usize, place: Option<Box<Place>> },

    #[error("`${{shipway.{name}}}` is nothing")]
    UnknownValue { name: String, nearest: Option<String>, known: String, place: Option<Box<Place>> },
    #[error("`${{shipway.{name}}}` has no value here: there is no {name}")]
    NoValue { name: String, place: Option<Box<Place>> },
    #[error("`${{shipway.` has no `}}`")]
    OpenPlaceholder { place: Option<Box<Place>> },

    #[error("the manifests name no image without a tag or with `latest`, so none is known to be the app's")]
    NoAppImage { found: Vec<String> },
    #[error("the manifests name several images without a tag or with `latest`: {names}", names = listed(repositories))]
    SeveralAppImages { repositories: Vec<Repository> },
    #[error("{object} has a placeholder for an image: `{text}`")]
    Placeholder { object: Box<ObjectId>, text: String, place: Option<Box<Place>> },
    #[error("{object} has an image that cannot be read")]
    Image { object: Box<ObjectId>, source: ReferenceError, place: Option<Box<Place>> },
    #[error("no manifest uses the image {repository}")]
    UnusedImage { repository: Repository, found: Vec<String> },

    #[error("{object} is in namespace {namespace}, and the target is {target}")]
    OtherNamespace { object: Box<ObjectId>, namespace: String, target: String, place: Option<Box<Place>> },
    #[error("{object} belongs to the whole cluster, not to namespace {target}")]
    ClusterScoped { object: Box<ObjectId>, entry: String, target: String, place: Option<Box<Place>> },
    #[error("{object} carries the label of another app: shipway.dev/app={app}")]
    OtherApp { object: Box<ObjectId>, app: String, place: Option<Box<Place>> },
    #[error("`{annotation}` is not known")]
    Hook { object: Box<ObjectId>, annotation: String, known: &'static str, place: Option<Box<Place>> },

    #[error("no manifest is of the colour {color}: no pod template has the label `{label}: {color}`")]
    NoColor { label: String, color: String },
    #[error("the selector of {object} has no `{label}`")]
    NoColorInSelector { object: Box<ObjectId>, label: String, place: Option<Box<Place>> },
    #[error("{object} has the placeholder `{label}: switch` in its selector, and selects nothing as it is")]
    ColorPlaceholder { object: Box<ObjectId>, label: String, place: Option<Box<Place>> },
}

fn listed(repositories: &[Repository]) -> String {
    repositories.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Explain for RenderError {
    fn code(&self) -> &'static str {
        match self {
            Self::Yaml(error) => error.code(),
            Self::Nothing { .. } => "no-manifests",
            Self::Removed { .. } | Self::NotDefined { .. } => "api-version",
            Self::Twice { .. } => "object-twice",
            Self::Repeated { .. } => "duplicate-key",
            Self::NoAppImage { .. } | Self::SeveralAppImages { .. } => "app-image",
            Self::Placeholder { .. } | Self::Image { .. } => "image-reference",
            Self::UnusedImage { .. } => "image-unused",
            Self::OtherNamespace { .. } | Self::ClusterScoped { .. } => "outside-namespace",
            Self::OtherApp { .. } => "other-app",
            Self::NoColor { .. } | Self::NoColorInSelector { .. } | Self::ColorPlaceholder { .. } => "color",
            _ => "manifest",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Yaml(error) => return error.hints(),
            Self::Nothing { names } if names.iter().any(|name| name == "-") => {
                "what writes into the pipe wrote nothing: `set -o pipefail` makes its failure count".into()
            }
            Self::UnknownValue { nearest: Some(nearest), .. } => format!("did you mean `${{shipway.{nearest}}}`?"),
            Self::UnknownValue { known, .. } => format!("known here: {known}"),
            Self::NoValue { .. } => "give it by a flag: `--branch`, say".into(),
            Self::OpenPlaceholder { .. } => "write it as in `${shipway.env}`".into(),
            Self::Removed { removed, also, .. } => return to_serve_again(removed, also),
            Self::NotDefined { served, .. } if !served.is_empty() => format!("write `apiVersion: {}`", served[0]),
            Self::NotAnObject { .. } | Self::Missing { .. } => return self.hints_of_form(),
            Self::NotText { place, .. } => quote_it(place.as_deref()),
            Self::ApiVersion { .. } => "write the group and the version: `apps/v1`, or `v1` for the core group".into(),
            Self::GenerateName { .. } => "write metadata.name: shipway applies objects by their name".into(),
            Self::Twice { first: Some(first), .. } | Self::Repeated { first: Some(first), .. } => {
                format!("remove one of them; the other one is in {first}")
            }
            Self::Directive { .. } => "write merge, replace or delete".into(),
            Self::NoAppImage { .. } => {
                "write in shipway.yaml which one is built: `images: [{name: registry.example.com/team/app}]`".into()
            }
            Self::SeveralAppImages { repositories } => {
                let first = repositories.first().map(ToString::to_string).unwrap_or_default();
                format!("write in shipway.yaml which ones are built: `images: [{{name: {first}}}]`")
            }
            Self::Placeholder { text, .. } => {
                format!("write the repository alone; shipway puts in the tag: `image: {}`", without_placeholder(text))
            }
            Self::UnusedImage { repository, .. } => {
                format!("write `image: {repository}` in a manifest, or take it out of `images` in shipway.yaml")
            }
            Self::OtherNamespace { namespace, .. } => format!(
                "leave metadata.namespace out: shipway fills it in; or write in shipway.yaml `allow: {{namespaces: [{namespace}]}}`"
            ),
            Self::ClusterScoped { entry, .. } => {
                format!("write in shipway.yaml `allow: {{cluster_scoped: [{entry}]}}`")
            }
            Self::OtherApp { .. } => "leave the label out: shipway writes it".into(),
            Self::Hook { known, .. } => format!("write {known}"),
            Self::NoColor { label, color } => {
                format!(
                    "write `{label}: {color}` in spec.template.metadata.labels of that colour's Deployment, and name its folder under `manifests`"
                )
            }
            Self::NoColorInSelector { label, .. } => {
                format!("write `{label}: switch` in spec.selector: shipway puts the live colour there")
            }
            Self::ColorPlaceholder { object, label, .. } => {
                let label = if label == BlueGreen::LABEL { String::new() } else { format!(", label: {label}") };
                format!("write in shipway.yaml `blue_green: {{service: {}{label}}}`", object.name)
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }

    fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Twice { object, .. }
            | Self::Repeated { object, .. }
            | Self::NothingToDelete { object, .. }
            | Self::TooLarge { object, .. }
            | Self::Placeholder { object, .. }
            | Self::Image { object, .. }
            | Self::OtherNamespace { object, .. }
            | Self::ClusterScoped { object, .. }
            | Self::OtherApp { object, .. }
            | Self::Hook { object, .. }
            | Self::NoColorInSelector { object, .. }
            | Self::ColorPlaceholder { object, .. } => Some((**object).clone()),
            _ => None,
        }
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Yaml(error) => error.place(),
            Self::NotAnObject { place, .. }
            | Self::Missing { place, .. }
            | Self::ApiVersion { place, .. }
            | Self::NotText { place, .. }
            | Self::GenerateName { place, .. }
            | Self::Twice { place, .. }
            | Self::Repeated { place, .. }
            | Self::Removed { place, .. }
            | Self::NotDefined { place, .. }
            | Self::Directive { place, .. }
            | Self::NothingToDelete { place, .. }
            | Self::TooLarge { place, .. }
            | Self::Placeholder { place, .. }
            | Self::Image { place, .. }
            | Self::UnknownValue { place, .. }
            | Self::NoValue { place, .. }
            | Self::OpenPlaceholder { place }
            | Self::OtherNamespace { place, .. }
            | Self::ClusterScoped { place, .. }
            | Self::OtherApp { place, .. }
            | Self::Hook { place, .. }
            | Self::NoColorInSelector { place, .. }
            | Self::ColorPlaceholder { place, .. } => place.as_deref().cloned(),
            Self::Nothing { .. }
            | Self::NoAppImage { .. }
            | Self::SeveralAppImages { .. }
            | Self::UnusedImage { .. }
            | Self::NoColor { .. } => None,
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        match self {
            Self::NoAppImage { found } | Self::UnusedImage { found, .. } if !found.is_empty() => {
                vec![Evidence::new("images", found)]
            }
            _ => Vec::new(),
        }
    }
}

impl RenderError {
    fn hints_of_form(&self) -> Vec<String> {
        let file = self.place().map(|place| place.file).unwrap_or_default();
        let name = file.rsplit('/').next().unwrap_or_default();
        let hint = match name.split('.').next().unwrap_or_default() {
            "kustomization" => "shipway does not run kustomize: `kubectl kustomize DIR | shipway deploy -f -`",
            "values" | "Chart" => "shipway does not run helm: `helm template DIR | shipway deploy -f -`",
            _ => "move it out of the folder if it is no manifest",
        };
        vec![hint.to_owned()]
    }
}

fn to_serve_again(removed: &Removed, also: &[&str]) -> Vec<String> {
    let first = match removed.kind {
        Some(_) => None,
        None => Some(format!("write `apiVersion: {}`", removed.write)),
    };
    first.into_iter().chain(also.iter().map(|text| (*text).to_owned())).collect()
}

/// `commit: 12345e67` becomes `commit: "12345e67"`.
fn quote_it(place: Option<&Place>) -> String {
    let line = place.and_then(|place| place.snippet.as_deref()).unwrap_or_default();
    let line = line.trim().trim_start_matches("- ");
    match line.split_once(": ") {
        Some((key, value)) if !value.contains([':', '{', '[', '"', '\'', '#']) => {
            format!("quote it: `{key}: \"{}\"`", value.trim())
        }
        _ => "quote it".to_owned(),
    }
}

/// The repository that stands before a placeholder: `team/app` of `team/app:{TAG}`.
fn without_placeholder(text: &str) -> &str {
    let end = text.find(['{', '$', '<', '%', '@']).or_else(|| text.find("__")).unwrap_or(text.len());
    let repository = text[..end].trim_end_matches([':', '-', '_', '.', '/']);
    if repository.is_empty() { "registry.example.com/team/app" } else { repository }
}
