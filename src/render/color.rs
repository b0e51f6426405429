//! In a blue/green app a deploy goes to one colour, and leaves the Service where it points.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Manifests, RenderError, template};
use crate::model::{BlueGreen, FieldPath, Object};

/// The colours of one deploy.
pub(super) struct Colors<'r> {
    pub blue_green: &'r BlueGreen,
    /// What is deployed to.
    pub target: &'r str,
    /// What serves; none before the first deploy.
    pub live: Option<&'r str>,
}

impl<'r> Colors<'r> {
    pub(super) fn new(
        blue_green: &'r BlueGreen,
        asked: Option<&'r str>,
        selector: Option<&'r BTreeMap<String, String>>,
    ) -> Self {
        let live = selector.and_then(|selector| selector.get(&blue_green.label)).map(String::as_str);
        Self { blue_green, target: asked.unwrap_or_else(|| blue_green.other(live)), live }
    }

    /// The colour of the object's pods, where they have one.
    pub(super) fn of(&self, object: &Object) -> Option<&'r str> {
        template::templates(object).into_iter().find_map(|path| {
            let label = path.key("metadata").key("labels").key(&self.blue_green.label);
            let value = label.find(&object.body)?.as_str()?;
            self.blue_green.colors.iter().find(|color| *color == value).map(String::as_str)
        })
    }

    /// Why an object of this colour is left as it is.
    pub(super) fn remark(&self, color: &str) -> String {
        if self.live == Some(color) { "serves".to_owned() } else { format!("this deploy goes to {}", self.target) }
    }

    /// True for the Service that is switched.
    pub(super) fn is_switched(&self, object: &Object) -> bool {
        self.blue_green.switches(&object.id)
    }

    /// Puts the colour that serves into the Service's selector, whatever placeholder stands there: only a switch moves
    /// traffic. At the first deploy it is the colour that is deployed to.
    pub(super) fn point(&self, object: &mut Object, manifests: &Manifests) -> Result<(), RenderError> {
        let label = &self.blue_green.label;
        let selector = FieldPath::parse("spec.selector");
        match selector.key(label).find_mut(&mut object.body) {
            Some(value) => {
                *value = Value::from(self.live.unwrap_or(self.target));
                Ok(())
            }
            None => Err(RenderError::NoColorInSelector {
                object: object.id.clone().into(),
                label: label.clone(),
                place: manifests.boxed_place(&object.from, &selector),
            }),
        }
    }
}

/// What stands in a selector until a colour is put there.
const PLACEHOLDER: &str = "switch";

/// A Service that nobody puts a colour into must not have the placeholder: it would reach no pod.
pub(super) fn refuse_placeholder(object: &Object, manifests: &Manifests) -> Result<(), RenderError> {
    let selector = FieldPath::parse("spec.selector");
    let labels = selector.find(&object.body).filter(|_| is_service(object)).and_then(Value::as_object);
    let label = labels.and_then(|labels| labels.iter().find(|(_, value)| *value == PLACEHOLDER));
    match label {
        Some((label, _)) => Err(RenderError::ColorPlaceholder {
            object: object.id.clone().into(),
            label: label.clone(),
            place: manifests.boxed_place(&object.from, &selector.key(label)),
        }),
        None => Ok(()),
    }
}

fn is_service(object: &Object) -> bool {
    object.id.group.is_empty() && object.id.kind == "Service"
}
