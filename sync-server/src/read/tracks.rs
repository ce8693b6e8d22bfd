//! Tracks of published drives, as answers of any form are made of them: read off their blocks, and written while a client
//! reads.

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

/// How many fixes are as much work as any other request.
const FIXES_PER_REQUEST: usize = 5_000;

/// What reading tracks takes.
#[derive(Debug)]
pub(crate) struct Tracks {
    pub(crate) limiter: Arc<RateLimiter>,
    /// Large answers that are on their way.
    pub(crate) bodies: Arc<Bodies>,
    /// Reads blocks, one track at a time.
    pub(crate) thread: BackgroundThread,
    pub(crate) secret: Secret,
}

impl Tracks {
    /// The track in these blocks, with room for it in memory as long as it is written to whoever asks, who pays by its length.
    /// One track is read at a time: that takes five times the room, for milliseconds.
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

    /// The tag of an answer that is made of these parts: a function of what is shown, and of nothing else that the relay
    /// knows. Nobody can guess from it what a part holds besides. Weak, because an answer may be compressed.
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

/// A text that is written while it is read, and how long it is.
pub(crate) async fn written(room: BodyPermit, mut steps: impl Steps) -> Result<(usize, Body), ApiError> {
    let measured = tokio::task::spawn_blocking(move || {
        let length = track::length(&mut steps);
        (length, steps)
    });
    let (length, steps) = measured.await.map_err(|_| ApiError::internal())?;
    Ok((length, room.body(track::pieces(steps).map(Bytes::from))))
}
