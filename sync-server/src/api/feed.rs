//! `GET /v1/feed/public`: public drives, newest first, page by page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::{ApiError, cursor};
use crate::Relay;
use crate::authorize::{Access, Audience, Viewer, authorize};
use crate::db::feed::{self, FeedKey, FeedRow};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// A page of the feed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    drives: Vec<Item>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// A drive as the feed shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: DocId,
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    title: String,
    started_at: Timestamp,
    car: Option<String>,
    stats: Box<RawValue>,
    bbox: Option<Box<RawValue>>,
    line: Box<RawValue>,
}

/// Serves a page after the place that `after` names, of at most `limit` drives (1 to 100, 20 unless told).
pub(crate) async fn public(
    State(relay): State<Arc<Relay>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, ApiError> {
    let Parameters { limit, after } = Parameters::parse(query.as_deref().unwrap_or_default())?;
    // One row more than is shown tells whether there is a next page.
    let rows: Arc<[FeedRow]> = match after {
        None => newest(&relay).await?,
        Some(_) => feed::page(&mut relay.readers.acquire().await?, after, limit + 1).await?.into(),
    };
    let shown = &rows[..rows.len().min(limit as usize)];
    let next =
        shown.last().filter(|_| rows.len() > shown.len()).map(|row| cursor::encode((row.key.sort_at, row.key.doc)));
    let may_list = |row: &&FeedRow| {
        let audience = Audience { owner: row.account, visibility: Visibility::Public };
        authorize(Viewer::Anonymous, audience, Access::Listed).is_ok()
    };
    let drives = shown.iter().filter(may_list).map(item).collect::<Result<_, ApiError>>()?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(Page { drives, next })))
}

async fn newest(relay: &Relay) -> Result<Arc<[FeedRow]>, ApiError> {
    match relay.newest.get() {
        Ok(rows) => Ok(rows),
        Err(generation) => {
            let rows: Arc<[FeedRow]> =
                feed::page(&mut relay.readers.acquire().await?, None, MAX_LIMIT + 1).await?.into();
            relay.newest.keep(generation, rows.clone());
            Ok(rows)
        }
    }
}

fn item(row: &FeedRow) -> Result<Item, ApiError> {
    Ok(Item {
        id: row.key.doc,
        account: row.account,
        handle: row.handle.clone(),
        display_name: row.display_name.clone(),
        title: row.title.clone(),
        started_at: row.started_at,
        car: row.car.clone(),
        stats: raw(&row.stats)?,
        bbox: row.bbox.as_deref().map(raw).transpose()?,
        line: raw(&row.line)?,
    })
}

fn raw(json: &str) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(json.to_owned()).map_err(|_| ApiError::internal())
}

#[derive(Debug, PartialEq)]
struct Parameters {
    limit: u32,
    after: Option<FeedKey>,
}

impl Parameters {
    /// Reads a query string. Values need no percent-decoding: neither numbers nor cursors hold a reserved character.
    fn parse(query: &str) -> Result<Parameters, ApiError> {
        let mut parameters = Parameters { limit: DEFAULT_LIMIT, after: None };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "limit" => parameters.limit = limit(value)?,
                "after" => parameters.after = Some(place(value)?),
                // What others append to links is none of our business.
                _ => {}
            }
        }
        Ok(parameters)
    }
}

fn limit(value: &str) -> Result<u32, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| ApiError::bad_parameter("bad_limit", format!("limit is a number from 1 to {MAX_LIMIT}.")))
}

fn place(cursor: &str) -> Result<FeedKey, ApiError> {
    let error = || ApiError::bad_parameter("bad_cursor", "after takes what next of the page before says.".to_owned());
    cursor::decode(cursor).map(|(sort_at, doc)| FeedKey { sort_at, doc }).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_defaults_and_bounds() {
        assert_eq!(Parameters::parse("").unwrap(), Parameters { limit: DEFAULT_LIMIT, after: None });
        assert_eq!(Parameters::parse("utm_source=x&limit=100").unwrap().limit, 100);
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=", "limit=2e1", "after=", "after=AAAA", "after=%20"] {
            assert!(Parameters::parse(bad).is_err(), "{bad}");
        }
    }
}
