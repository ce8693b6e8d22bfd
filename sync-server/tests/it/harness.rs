//! The test harness: a server with a database of its own, a test phone that sends single messages of the protocol, and
//! documents.

mod database;
mod documents;
mod http;
mod person;
mod phone;
mod statements;

pub(crate) use database::{Database, ENGINE};
pub(crate) use documents::{Document, drive_on, transplanted};
pub(crate) use http::{Answer, ask, get, get_with, post};
pub(crate) use person::{Person, now};
pub(crate) use phone::{Phone, Wire, origin_of};
pub(crate) use statements::STATEMENTS;

use std::net::SocketAddr;

use tourismo_server::{Config, Running};
use tourismo_test_kit::relay;

/// A server with a database of its own.
pub(crate) struct Relay {
    database: Database,
    running: Running,
}

impl Relay {
    pub(crate) async fn start() -> Relay {
        Relay::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config)) -> Relay {
        Relay::start_on(Database::fresh(), configure).await
    }

    pub(crate) async fn start_on(database: Database, configure: impl FnOnce(&mut Config)) -> Relay {
        statements::note();
        let running = relay::start(database.location().clone(), configure).await.unwrap();
        Relay { database, running }
    }

    /// Stops the server and starts another on the same database.
    pub(crate) async fn restart_with(self, configure: impl FnOnce(&mut Config)) -> Relay {
        Relay::start_on(self.stop().await, configure).await
    }

    /// Stops the server and leaves its database.
    pub(crate) async fn stop(self) -> Database {
        self.running.shutdown().await;
        self.database
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    pub(crate) fn health_addr(&self) -> Option<SocketAddr> {
        self.running.health_addr()
    }

    pub(crate) fn metrics_addr(&self) -> Option<SocketAddr> {
        self.running.metrics_addr()
    }

    pub(crate) fn admin_addr(&self) -> Option<SocketAddr> {
        self.running.admin_addr()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Waits until the rows of all documents are projected.
    pub(crate) async fn settle(&self) {
        while self.count("SELECT COUNT(*) FROM due_document").await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// The number of changes that another connection reads from the database.
    pub(crate) async fn changes_on_disk(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM change").await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.ask(sql).await
    }
}
