//! The recorded drive, as far as it is known without its documents.

use minicbor::{Decode, Encode};

use crate::id::DocId;
use crate::time::{Now, Timestamp};

/// The recorded drive. Stored in [`Space::Meta`](crate::replica::io::Space::Meta) from start to finish.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct RecordedDrive {
    #[n(0)]
    pub(crate) drive: DocId,
    #[n(1)]
    pub(crate) track: DocId,
    #[n(2)]
    pub(crate) started_at: Timestamp,
    #[n(3)]
    pub(crate) car: Option<DocId>,
    /// When the last packed item arrived, by the phone's clock. The journal has later items.
    #[n(4)]
    pub(crate) last_at: Option<Timestamp>,
    /// Whether the recording runs: it is neither paused nor left unfinished on purpose.
    #[n(5)]
    #[cbor(default)]
    pub(crate) is_running: bool,
    /// The difference between the recording's clock and the phone's at that time: how far the phone's was set back.
    #[n(6)]
    #[cbor(default)]
    pub(crate) ahead_ms: i64,
    /// The offset of the sensor's times at that time.
    #[n(7)]
    #[cbor(default)]
    pub(crate) sensor_ms: i64,
}

impl RecordedDrive {
    /// Creates a recorded drive that starts now.
    pub(crate) fn new(
        drive: DocId,
        track: DocId,
        started_at: Timestamp,
        car: Option<DocId>,
        now: Now,
    ) -> RecordedDrive {
        RecordedDrive {
            drive,
            track,
            started_at,
            car,
            last_at: Some(now.wall),
            is_running: true,
            ahead_ms: 0,
            sensor_ms: 0,
        }
    }
}
