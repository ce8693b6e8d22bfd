//! The whole suite runs on SQLite, and this test runs it again on Postgres. Together the runs must execute every SQL
//! statement of the relay.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::harness::{ENGINE, STATEMENTS};

/// Skipped on Postgres: tests of database files, tests that use Postgres in every run, and this test itself.
const SKIPPED: [&str; 6] = ["--skip", "backup::", "--skip", "outage::", "--skip", "engines::"];

/// Tests on Postgres mostly wait for commits, so more of them run at the same time.
const THREADS: &str = "--test-threads=8";

/// Files with statements that only one engine executes.
const OF_ONE_ENGINE: [&str; 3] = ["db/sqlite.rs", "db/postgres.rs", "maintenance/backup.rs"];

#[test]
fn every_test_passes_on_postgres_too_and_no_statement_is_left_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("statements");
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(SKIPPED).arg(THREADS).env(ENGINE, "postgres").env(STATEMENTS, &said).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    let said: BTreeSet<String> = std::fs::read_to_string(&said).unwrap().lines().map(str::to_owned).collect();
    let in_the_sources = statements(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(in_the_sources.len() > 50, "the sources are read: {}", in_the_sources.len());
    let is_said = |text: &&String| match text.strip_suffix(GOES_ON) {
        Some(part) => said.iter().any(|said| said.contains(part)),
        None => said.contains(*text),
    };
    let unsaid: Vec<&String> = in_the_sources.iter().filter(|text| !is_said(text)).collect();
    assert_eq!(unsaid, [&""; 0], "no test has the relay say these");
}

/// The mark at the end of a part of a statement.
const GOES_ON: &str = " …";

/// All SQL in the sources, each statement in one line. A statement that is put together is listed by its parts.
fn statements(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut statements(&path));
        } else if !OF_ONE_ENGINE.iter().any(|name| path.ends_with(name)) {
            let source = std::fs::read_to_string(&path).unwrap();
            for text in literals(&source).into_iter().filter(|text| is_sql(text)) {
                let is_whole = !text.contains('{') && !text.ends_with(' ');
                let ending = if is_whole { "" } else { GOES_ON };
                let parts = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
                found.extend(parts.map(in_one_line).filter(|part| !part.is_empty()).map(|part| part + ending));
            }
        }
    }
    found
}

fn is_sql(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first) && text.trim() != first
}

/// The string literals in a source, before its tests.
fn literals(source: &str) -> Vec<&str> {
    let (mut rest, mut found) = (source.split("#[cfg(test)]").next().unwrap_or_default(), Vec::new());
    while let Some(at) = rest.find(['"', '/']) {
        let before = &rest[..at];
        let (literal, after) = if rest[at..].starts_with("//") {
            rest = rest[at..].split_once('\n').map_or("", |(_, after)| after);
            continue;
        } else if rest[at..].starts_with('/') {
            rest = &rest[at + 1..];
            continue;
        } else if before.ends_with("r#") {
            rest[at + 1..].split_once("\"#").expect("a raw string ends")
        } else if before.ends_with('\'') {
            rest = &rest[at + 1..];
            continue;
        } else {
            let body = &rest[at + 1..];
            let mut is_escaped = false;
            let end = body.find(|c| {
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            let end = end.expect("a string ends");
            (&body[..end], &body[end + 1..])
        };
        found.push(literal);
        rest = after;
    }
    found
}

/// A statement without the line breaks and indents of its source.
pub(crate) fn in_one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
