//! Tracks of published drives for answers of any format: read from their blocks, and written while the client reads.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use serde_json::json;
use tourismo_core::track::block::fix_count;

use crate::clients::bodies::{Bodies, BodyPermit};
use crate::clients::limits::{RateLimiter, Source};
use crate::db::published::DrivePage;
use crate::db::relay::Secret;
use crate::http::error::ApiError;
use crate::read::formats::track::{self, BYTES_PER_FIX, Steps, Track};
use crate::runtime::background_thread::BackgroundThread;

/// The number of fixes that cost as much as any other request.
const FIXES_PER_REQUEST: usize = 5_000;

/// The state that reading tracks needs.
#[derive(Debug)]
pub(crate) struct Tracks {
    pub(crate) limiter: Arc<RateLimiter>,
    /// The large answers that are being sent.
    pub(crate) bodies: Arc<Bodies>,
    /// Reads blocks, one track at a time.
    pub(crate) thread: BackgroundThread,
    pub(crate) secret: Secret,
}

impl Tracks {
    /// Returns the track in these blocks, with a permit for its memory until it is written; the client is charged by
    /// its length. One track is read at a time, because reading needs five times the memory for some milliseconds.
    pub(crate) async fn read(
        &self,
        source: Source,
        blocks: Vec<Vec<u8>>,
        track_of: fn(&[Vec<u8>]) -> Track,
    ) -> Result<(Track, BodyPermit), ApiError> {
        let fixes: usize = blocks.iter().map(|block| fix_count(block)).sum();
        self.limiter.requests(source, fixes / FIXES_PER_REQUEST)?;
        let room = self.bodies.reserve(source, fixes * BYTES_PER_FIX).ok_or_else(ApiError::too_many_bodies)?;
        let track = self.thread.run(move || track_of(&blocks)).await.map_err(|_| ApiError::internal())?;
        Ok((track, room))
    }

    /// Returns the tag of an answer with these parts: it depends only on shown data, and nobody can guess hidden data
    /// from it. Weak, because the answer may be compressed.
    pub(crate) fn etag(&self, form: &str, page: &DrivePage, blocks: &[Vec<u8>]) -> HeaderValue {
        let DrivePage { account, visibility: _, started_at, utc_offset, title, car, stats, bbox, author } = page;
        let shown =
            json!([form, account, started_at, utc_offset, title, car, stats, bbox, author.handle, author.display_name]);
        let shown = [shown.to_string(), env!("CARGO_PKG_VERSION").to_owned()].map(String::into_bytes);
        let parts = shown.iter().chain(blocks).flat_map(|part| [part.len().to_be_bytes().to_vec(), part.clone()]);
        let digest = self.secret.hash("tag of a drive", parts);
        let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        HeaderValue::from_str(&format!("W/\"{tag}\"")).expect("digits are visible ASCII")
    }
}

/// Returns a text that is written while it is read, with its length.
pub(crate) async fn written(room: BodyPermit, mut steps: impl Steps) -> Result<(usize, Body), ApiError> {
    let measured = tokio::task::spawn_blocking(move || {
        let length = track::length(&mut steps);
        (length, steps)
    });
    let (length, steps) = measured.await.map_err(|_| ApiError::internal())?;
    Ok((length, room.body(track::pieces(steps).map(Bytes::from))))
}
