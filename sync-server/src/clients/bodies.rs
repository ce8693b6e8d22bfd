//! Limits the bytes of answers that are held in memory for slow readers, for each address and in total.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use futures_util::stream;

use crate::clients::limits::Source;

/// Maximum bytes for one address; a single answer may exceed it.
const MAX_BYTES_OF_SOURCE: usize = 4 << 20;

/// Maximum bytes for all addresses. The last quarter is reserved for small answers.
const MAX_BYTES: usize = 48 << 20;
const MAX_BYTES_OF_LARGE: usize = MAX_BYTES / 4 * 3;

/// Maximum size of a small answer: an hour's drive, a page of a list.
const SMALL_BYTES: usize = 128 << 10;

/// The answers that are being sent.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    is_unbounded: bool,
    held: Mutex<BytesInFlight>,
}

#[derive(Debug, Default)]
struct BytesInFlight {
    total: usize,
    of_source: BTreeMap<Source, usize>,
}

/// The permit for an answer, released when it is dropped.
#[derive(Debug)]
pub(crate) struct BodyPermit {
    bodies: Arc<Bodies>,
    source: Source,
    bytes: usize,
}

impl Bodies {
    /// Without a limit, for benchmarks.
    pub(crate) fn unbounded() -> Arc<Bodies> {
        Arc::new(Bodies { is_unbounded: true, held: Mutex::default() })
    }

    /// Returns the permit for an answer of this size; `None` if too many bytes are being sent, to this address or to
    /// all.
    pub(crate) fn reserve(self: &Arc<Bodies>, source: Source, bytes: usize) -> Option<BodyPermit> {
        let mut held = self.lock();
        let of_source = held.of_source.get(&source).copied().unwrap_or(0);
        let max = if bytes <= SMALL_BYTES { MAX_BYTES } else { MAX_BYTES_OF_LARGE };
        let fits_source = of_source == 0 || of_source + bytes <= MAX_BYTES_OF_SOURCE;
        let fits = held.total == 0 || held.total + bytes <= max;
        (self.is_unbounded || fits_source && fits).then(|| {
            held.total += bytes;
            held.of_source.insert(source, of_source + bytes);
            BodyPermit { bodies: self.clone(), source, bytes }
        })
    }

    fn lock(&self) -> MutexGuard<'_, BytesInFlight> {
        // The sums stay consistent after a panic: each change is a single addition after everything that may panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyPermit {
    /// Returns a body whose pieces are made on demand. The permit is released when the body was read or its reader
    /// disconnected.
    pub(crate) fn body(self, pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
        Body::from_stream(stream::unfold((pieces, self), async |(mut pieces, room)| {
            Some((Ok::<_, Infallible>(pieces.next()?), (pieces, room)))
        }))
    }

    /// Returns a body that is in memory as a whole.
    pub(crate) fn whole(self, bytes: Bytes) -> Body {
        Body::from(Bytes::from_owner(Whole { bytes, _room: self }))
    }
}

/// A body with its permit.
struct Whole {
    bytes: Bytes,
    _room: BodyPermit,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for BodyPermit {
    fn drop(&mut self) {
        let mut held = self.bodies.lock();
        held.total -= self.bytes;
        if let Some(of_source) = held.of_source.get_mut(&self.source) {
            *of_source -= self.bytes;
            if *of_source == 0 {
                held.of_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(number: u8) -> Source {
        IpAddr::from([192, 0, 2, number]).into()
    }

    #[test]
    fn an_address_has_its_share_and_small_answers_pass_large_ones() {
        let bodies = Arc::<Bodies>::default();
        let take = |number, bytes| bodies.reserve(source(number), bytes);
        let mut held: Vec<BodyPermit> = (0..4).map(|_| take(1, 1 << 20).unwrap()).collect();
        assert!(take(1, 1 << 10).is_none(), "its share is taken");
        assert!(take(2, 8 << 20).is_some(), "one answer, however large");
        held.extend(
            (2..10).flat_map(|number| (0..4).map(move |_| number)).map(|number| take(number, 1 << 20).unwrap()),
        );
        assert!(take(10, 1 << 20).is_none(), "all that large ones may take is taken");
        assert!(take(10, SMALL_BYTES).is_some());
        held.pop();
        assert!(take(10, 1 << 20).is_some());
        drop(held);
        assert!(bodies.lock().of_source.is_empty() && bodies.lock().total == 0);
    }

    #[tokio::test]
    async fn a_body_gives_its_room_back_when_it_was_read() {
        let bodies = Arc::<Bodies>::default();
        let room = || bodies.reserve(source(1), 100).unwrap();
        let pieces = ["one", "two"].map(Bytes::from).into_iter();
        assert_eq!(axum::body::to_bytes(room().body(pieces), 100).await.unwrap(), "onetwo");
        let whole = axum::body::to_bytes(room().whole("three".into()), 100).await.unwrap();
        assert_eq!((whole.as_ref(), bodies.lock().total), (b"three".as_slice(), 100));
        drop(whole);
        assert_eq!(bodies.lock().total, 0);
    }
}
