//! Records every SQL statement of the relay in this run, if an environment variable asks for it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::engines::in_one_line;

/// The environment variable with the file to which statements are written, one per line, each once.
pub(crate) const STATEMENTS: &str = "TOURISMO_TEST_STATEMENTS";

const SPOKEN_IN: &str = "tourismo_server::db::sql";

/// Begins to record, if that is asked for and has not begun.
pub(crate) fn note() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Some(path) = std::env::var_os(STATEMENTS) {
            let notes = Notes(Mutex::new((BTreeSet::new(), File::create(path).unwrap())));
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(notes)).unwrap();
        }
    });
}

struct Notes(Mutex<(BTreeSet<String>, File)>);

impl<S: Subscriber> Layer<S> for Notes {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == SPOKEN_IN
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement(String::new());
        event.record(&mut statement);
        let (said, file) = &mut *self.0.lock().unwrap();
        if said.insert(statement.0.clone()) {
            writeln!(file, "{}", statement.0).unwrap();
        }
    }
}

struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            self.0 = in_one_line(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
