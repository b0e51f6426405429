//! Lists of objects, page by page and one object at a time: a whole list as values takes ten times the memory of its text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    request::{Call, JSON, path},
    survey::stamp,
};
use crate::model::Selection;

/// How a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Objects a page.
    pub page: usize,
    pub accept: &'static str,
}

/// Whole objects, as many at once as other clients ask for.
pub(super) const WHOLE: Form = Form { page: 500, accept: JSON };

/// Pages put together.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub objects: Vec<T>,
    /// `metadata.resourceVersion` of the list, to watch from.
    pub version: String,
    pub complete: bool,
}

impl Cluster {
    /// The whole list, or its first page alone where the pages would be more than `most`.
    pub(super) async fn list_pages(&self, selection: &Selection, most: usize) -> Result<Listed<Value>, ClusterError> {
        self.list_kept(selection, (WHOLE, most), Some).await
    }

    /// The same, with what `keep` makes of each object.
    pub(super) async fn list_kept<T>(
        &self,
        selection: &Selection,
        (form, most): (Form, usize),
        mut keep: impl FnMut(Value) -> Option<T>,
    ) -> Result<Listed<T>, ClusterError> {
        let mut listed = Listed { objects: Vec::new(), version: String::new(), complete: false };
        let mut next = String::new();
        loop {
            let text = match self.list_page(selection, form, &next).await {
                // the history that the next page stands on is gone: from the start again
                Err(error) if error.reason() == Some(Reason::Gone) && !next.is_empty() => {
                    listed.objects.clear();
                    next.clear();
                    continue;
                }
                text => text?,
            };
            let head = self.read(&text, |mut object| {
                stamp(&mut object, &selection.resource);
                listed.objects.extend(keep(object));
            })?;
            listed.version = head.version;
            next = head.next;
            if next.is_empty() || head.remaining.div_ceil(form.page) >= most {
                listed.complete = next.is_empty();
                return Ok(listed);
            }
        }
    }

    async fn list_page(&self, selection: &Selection, form: Form, next: &str) -> Result<String, ClusterError> {
        let limit = form.page.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(selection.labels.as_deref().map(|labels| ("labelSelector", labels)));
        query.extend(selection.fields.as_deref().map(|fields| ("fieldSelector", fields)));
        if !next.is_empty() {
            query.push(("continue", next));
        }
        let resource = &selection.resource;
        let call =
            Call { accept: form.accept, ..Call::get(path(resource, selection.namespace.as_deref(), None, &query)) };
        match self.ask_text(&call).await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.or_not_served(self.explain(failure, None), resource, None).await),
        }
    }

    fn read(&self, page: &str, take: impl FnMut(Value)) -> Result<Head, ClusterError> {
        read_page(page, take).map_err(|error| ClusterError::Nonsense {
            server: self.connection().server.clone(),
            why: format!("no list in JSON at line {}", error.line()),
        })
    }
}

/// What a page says of the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    version: String,
    /// The token of the next page; empty on the last one.
    next: String,
    remaining: usize,
}

/// Hands out the items of a page, each before the next is read.
fn read_page(text: &str, take: impl FnMut(Value)) -> Result<Head, serde_json::Error> {
    serde_json::Deserializer::from_str(text).deserialize_map(Page(take))
}

struct Page<F>(F);

impl<'de, F: FnMut(Value)> Visitor<'de> for Page<F> {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Head, A::Error> {
        let mut head = Head::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "items" => map.next_value_seed(Items(&mut self.0))?,
                "metadata" => head = Head::of(&map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(head)
    }
}

impl Head {
    fn of(metadata: &Value) -> Self {
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let remaining = metadata["remainingItemCount"].as_u64().and_then(|count| usize::try_from(count).ok());
        Self { version: text("resourceVersion"), next: text("continue"), remaining: remaining.unwrap_or(0) }
    }
}

struct Items<'f, F>(&'f mut F);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Items<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Items<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    /// A server writes an empty list as null at times.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_read_item_by_item_in_whatever_order_it_is_written() {
        let metadata = json!({"resourceVersion": "7", "continue": "next", "remainingItemCount": 3});
        let items = json!([{"metadata": {"name": "web"}}, {"metadata": {"name": "worker"}}]);
        let expected = Head { version: "7".to_owned(), next: "next".to_owned(), remaining: 3 };
        for page in [
            json!({"kind": "List", "metadata": metadata, "items": items}),
            json!({"items": items, "more": [{"a": 1}], "metadata": metadata}),
        ] {
            let mut names = Vec::new();
            let head = read_page(&page.to_string(), |item| names.push(item["metadata"]["name"].clone())).unwrap();
            assert_eq!(head, expected);
            assert_eq!(names, [json!("web"), json!("worker")]);
        }
        let mut count = 0;
        assert_eq!(read_page(r#"{"items": null}"#, |_| count += 1).unwrap(), Head::default());
        assert_eq!(count, 0);
        assert!(read_page("[]", |_| {}).is_err());
    }
}
