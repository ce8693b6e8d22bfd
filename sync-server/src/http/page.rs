//! Pages of lists: items, and the cursor of the next page.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType};
use utoipa::openapi::{Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::http::cursor::{self, List, SortKey};
use crate::http::query::PageQuery;

/// A page of a list. As JSON it is one object: the fields of `head`, the items under the name of their list, and `next`.
#[derive(Debug, Serialize)]
#[serde(bound = "T: Listed, H: Serialize")]
pub(crate) struct Page<T, H = ()> {
    /// Fields about the whole list.
    #[serde(flatten)]
    pub(crate) head: H,
    #[serde(flatten, serialize_with = "under_the_name_of_the_list")]
    pub(crate) items: Vec<T>,
    /// The value of the parameter `after` for the next page; absent on the last one.
    pub(crate) next: Option<String>,
}

/// An item of a list with pages.
pub(crate) trait Listed: Serialize {
    /// The name of the list in a page.
    const LIST: &'static str;
    /// The name of a page in the description of the API.
    const PAGE: &'static str;
    /// The text about a page in the description of the API.
    const DESCRIPTION: &'static str;
    /// The description of an item.
    type Schema: ToSchema;
}

impl PageQuery {
    /// Makes a page from rows that were read with [`PageQuery::rows`].
    pub(crate) fn page<T, K: SortKey>(&self, mut rows: Vec<T>, list: List, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = self.limit.0 as usize;
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| is_more).map(|row| cursor::encode(list, &key(row)));
        Page { head: (), items: rows, next }
    }
}

impl<T> Page<T> {
    /// Returns the page with each item converted.
    pub(crate) fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U> {
        Page { head: (), items: self.items.into_iter().map(item).collect(), next: self.next }
    }

    /// Returns the page with each item converted, if all conversions succeed.
    pub(crate) fn try_map<U, E>(self, item: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page { head: (), items: self.items.into_iter().map(item).collect::<Result<_, E>>()?, next: self.next })
    }

    /// Returns the page with fields about the whole list.
    pub(crate) fn with_head<H>(self, head: H) -> Page<T, H> {
        Page { head, items: self.items, next: self.next }
    }
}

fn under_the_name_of_the_list<T: Listed, S: Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(T::LIST, items)?;
    map.end()
}

impl<T: Listed, H: PartialSchema> PartialSchema for Page<T, H> {
    fn schema() -> RefOr<Schema> {
        let mut object = match H::schema() {
            RefOr::T(Schema::Object(head)) => ObjectBuilder::from(head),
            RefOr::T(_) | RefOr::Ref(_) => ObjectBuilder::new(),
        };
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::Schema::name()));
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("For the parameter `after` of the next page; absent on the last one."));
        object = object.schema_type(Type::Object).description(Some(T::DESCRIPTION)).default(None);
        object = object.property(T::LIST, items).required(T::LIST).property("next", next);
        RefOr::T(Schema::Object(object.build()))
    }
}

impl<T: Listed, H: ToSchema> ToSchema for Page<T, H> {
    fn name() -> std::borrow::Cow<'static, str> {
        T::PAGE.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::Schema::name().into(), T::Schema::schema()));
        T::Schema::schemas(schemas);
        H::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::query::Limit;

    #[derive(Debug, Serialize, ToSchema)]
    struct Lake {
        depth_m: u32,
    }

    #[derive(Debug, Serialize, ToSchema)]
    struct Lakes {
        count: u64,
    }

    impl Listed for Lake {
        const LIST: &'static str = "lakes";
        const PAGE: &'static str = "LakePage";
        const DESCRIPTION: &'static str = "A page of lakes.";
        type Schema = Lake;
    }

    fn page(rows: Vec<i64>) -> Page<i64> {
        PageQuery { limit: Limit(2), after: None }.page(rows, List::People, |row| *row)
    }

    #[test]
    fn a_page_names_the_next_one_only_if_there_is_one() {
        assert_eq!((page(vec![1, 2]).items, page(vec![1, 2]).next), (vec![1, 2], None));
        let Page { items, next, .. } = page(vec![1, 2, 3]);
        assert_eq!((items, next), (vec![1, 2], Some(cursor::encode(List::People, &2_i64))));
    }

    #[test]
    fn a_page_is_one_object_with_its_items_under_the_name_of_their_list() {
        let lakes = page(vec![7]).map(|depth| Lake { depth_m: depth as u32 });
        assert_eq!(json!(lakes), json!({ "lakes": [{ "depth_m": 7 }], "next": null }));
        let lakes = lakes.with_head(Lakes { count: 9 });
        assert_eq!(json!(lakes), json!({ "count": 9, "lakes": [{ "depth_m": 7 }], "next": null }));
    }

    #[test]
    fn a_page_is_described_as_it_is_written() {
        let RefOr::T(Schema::Object(object)) = Page::<Lake, Lakes>::schema() else { panic!("a page is an object") };
        assert_eq!(object.properties.keys().collect::<Vec<_>>(), ["count", "lakes", "next"]);
        assert_eq!(object.required, ["count", "lakes"]);
    }
}
