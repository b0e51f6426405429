//! Places of images outside of pod templates, as the configuration names them.

use serde_json::Value;

use super::{FieldPath, GroupKind, ObjectId};

/// The objects of a kind, and where in them an image stands: `Workflow.argoproj.io` and `spec.templates[].container`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePath {
    of: GroupKind,
    steps: Vec<Step>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// `[]`: every item of a list.
    Items,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImagePathError {
    #[error("is no kind")]
    Kind,
    #[error("is no path to a field")]
    Path,
}

impl ImagePath {
    /// `kind` is `Kind.group`, or `Kind` in the core group.
    ///
    /// # Errors
    /// What is no kind or no path.
    pub fn new(kind: &str, path: &str) -> Result<Self, ImagePathError> {
        let of = GroupKind::parse(kind).ok_or(ImagePathError::Kind)?;
        let mut steps = Vec::new();
        for part in path.trim_start_matches('.').split('.') {
            let name = part.trim_end_matches("[]");
            if name.is_empty() || name.contains(['[', ']', ' ', '*']) {
                return Err(ImagePathError::Path);
            }
            steps.push(Step::Key(name.to_owned()));
            steps.extend((0..(part.len() - name.len()) / 2).map(|_| Step::Items));
        }
        Ok(Self { of, steps, text: path.to_owned() })
    }

    pub fn is_of(&self, id: &ObjectId) -> bool {
        self.of.is_of(id)
    }

    /// The paths of the images in a body. A path that ends at a mapping, such as a container, means its `image`.
    pub fn find(&self, body: &Value) -> Vec<FieldPath> {
        let mut found = vec![(FieldPath::default(), body)];
        for step in &self.steps {
            found = found.into_iter().flat_map(|(path, value)| step.below(&path, value)).collect();
        }
        let image = |(path, value): (FieldPath, &Value)| match value {
            Value::Object(fields) => fields.get("image").filter(|image| image.is_string()).map(|_| path.key("image")),
            Value::String(_) => Some(path),
            _ => None,
        };
        found.into_iter().filter_map(image).collect()
    }
}

impl Step {
    fn below<'v>(&self, path: &FieldPath, value: &'v Value) -> Vec<(FieldPath, &'v Value)> {
        match (self, value) {
            (Self::Key(key), Value::Object(fields)) => {
                fields.get(key).map(|value| (path.key(key), value)).into_iter().collect()
            }
            (Self::Items, Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// `Workflow.argoproj.io: spec.templates[].container`
impl std::fmt::Display for ImagePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.of, self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_are_found_by_path() {
        let body = json!({"spec": {"templates": [
            {"container": {"image": "a"}}, {"script": {"image": "b"}}, {"container": {"image": 3}},
            {"sidecars": [{"image": "c"}]}], "image": "d"}});
        for (path, expected) in [
            ("spec.templates[].container", &["spec.templates[0].container.image"][..]),
            (".spec.templates[].script.image", &["spec.templates[1].script.image"]),
            ("spec.templates[].sidecars[]", &["spec.templates[3].sidecars[0].image"]),
            ("spec.image", &["spec.image"]),
            ("spec", &["spec.image"]),
            ("spec[]", &[]),
            ("status.image", &[]),
        ] {
            let found = ImagePath::new("Workflow.argoproj.io", path).unwrap().find(&body);
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_kind_or_path_is_refused() {
        for (kind, path, error) in [
            ("workflow", "a", ImagePathError::Kind),
            ("Work flow", "a", ImagePathError::Kind),
            ("Workflow.", "a", ImagePathError::Kind),
            ("Workflow.Argo", "a", ImagePathError::Kind),
            ("Workflow", "", ImagePathError::Path),
            ("Workflow", "a..b", ImagePathError::Path),
            ("Workflow", "a[0]", ImagePathError::Path),
            ("Workflow", "a[*].b", ImagePathError::Path),
        ] {
            assert_eq!(ImagePath::new(kind, path).unwrap_err(), error, "{kind} {path}");
        }
        let path = ImagePath::new("Workflow.argoproj.io", "a").unwrap();
        let id =
            |group: &str| ObjectId { group: group.into(), kind: "Workflow".into(), namespace: None, name: "x".into() };
        assert!(path.is_of(&id("argoproj.io")) && !path.is_of(&id("")));
    }
}
