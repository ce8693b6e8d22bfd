//! What the tests need: a server in a temporary folder, a phone that speaks the protocol word by word, documents.

mod documents;
mod http;
mod phone;

pub(crate) use documents::{Document, drive_on, transplanted};
pub(crate) use http::{get, get_with};
pub(crate) use phone::{Phone, Wire};

use std::net::SocketAddr;
use std::path::PathBuf;

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tourismo_server::{Config, Running, Server};

/// A server with a database of its own.
pub(crate) struct Relay {
    folder: TempDir,
    running: Running,
}

impl Relay {
    pub(crate) async fn start() -> Relay {
        Relay::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config)) -> Relay {
        Relay::start_in(tempfile::tempdir().unwrap(), configure).await
    }

    pub(crate) async fn start_in(folder: TempDir, configure: impl FnOnce(&mut Config)) -> Relay {
        let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), folder.path().join("tourismo.sqlite"));
        configure(&mut config);
        let running = Server::start(config).await.unwrap();
        Relay { folder, running }
    }

    /// Stops the server and starts another on the same database.
    pub(crate) async fn restart_with(self, configure: impl FnOnce(&mut Config)) -> Relay {
        self.running.shutdown().await;
        Relay::start_in(self.folder, configure).await
    }

    pub(crate) async fn stop(self) {
        self.running.shutdown().await;
    }

    /// Stops the server and leaves its database.
    pub(crate) async fn stop_and_keep(self) -> TempDir {
        self.running.shutdown().await;
        self.folder
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("tourismo.sqlite")
    }

    /// How many changes another process sees in the database.
    pub(crate) async fn changes_on_disk(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM change").await
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let url = format!("sqlite://{}?mode=ro", self.database().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count
    }
}
