//! The refusal codes in the source are those in PROTOCOL.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files in which a function `code` returns the codes.
const NAMED: [&str; 3] = ["core/src/replica/io/outcome.rs", "core/src/replica/bootstrap.rs", "core/src/read_token.rs"];
/// Where codes are the names of an enum's variants.
const VARIANTS: &str = "core/src/wire/codes.rs";
/// The functions of the relay that take a code as an argument.
const SAID_BY_THE_RELAY: [&str; 3] = ["ApiError::new(", "ApiError::later(", "unauthorized("];

#[test]
fn e1_every_code_stands_in_the_protocol_and_what_stands_there_is_a_code() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut codes = BTreeSet::new();
    for path in NAMED {
        let source = fs::read_to_string(root.join(path))?;
        let functions = source.split("pub fn code(").skip(1).map(|rest| rest.split("\n    }\n").next().unwrap_or(""));
        codes.extend(functions.flat_map(pieces).filter(|text| is_code(text)).map(str::to_owned));
    }
    let source = fs::read_to_string(root.join(VARIANTS))?;
    let variants = source.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','));
    codes.extend(variants.filter(|name| name.chars().all(char::is_alphanumeric)).map(snake_case));
    for path in sources(&root.join("sync-server/src"))? {
        let source = fs::read_to_string(path)?;
        for marker in SAID_BY_THE_RELAY {
            let first = source.split(marker).skip(1).filter_map(|rest| pieces(rest).next());
            codes.extend(first.filter(|text| is_code(text)).map(str::to_owned));
        }
        // The codes of refused parameters are in the functions that parse them.
        codes.extend(pieces(&source).filter(|text| is_code(text) && text.starts_with("bad_")).map(str::to_owned));
    }
    anyhow::ensure!(codes.len() > 40, "the sources are read: {codes:?}");

    let protocol = fs::read_to_string(root.join("PROTOCOL.md"))?;
    let told: BTreeSet<String> = protocol.lines().filter_map(code_of_row).map(str::to_owned).collect();
    let untold: Vec<_> = codes.difference(&told).collect();
    let unknown: Vec<_> = told.difference(&codes).collect();
    anyhow::ensure!(untold.is_empty(), "PROTOCOL.md does not say what these mean: {untold:?}");
    anyhow::ensure!(unknown.is_empty(), "nobody is refused with these: {unknown:?}");
    Ok(())
}

#[test]
fn e1_the_numbers_of_codes_are_those_of_the_messages() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = fs::read_to_string(root.join(VARIANTS))?;
    let variant = |rest: &str| {
        let (number, rest) = rest.split_once(")]\n    ")?;
        Some((snake_case(rest.split_once(',')?.0), number.parse().ok()?))
    };
    let sent: BTreeSet<(String, u8)> = source.split("#[n(").skip(1).filter_map(variant).collect();
    let protocol = fs::read_to_string(root.join("PROTOCOL.md"))?;
    let numbered = |line: &str| Some((code_of_row(line)?.to_owned(), line.split(" | ").nth(1)?.parse().ok()?));
    let told: BTreeSet<(String, u8)> = protocol.lines().filter_map(numbered).collect();
    anyhow::ensure!(sent.len() > 15 && sent == told, "sent: {sent:?}; told: {told:?}");
    Ok(())
}

/// The code of a row of a table: in the first column, or in the second after an HTTP status.
fn code_of_row(line: &str) -> Option<&str> {
    let mut columns = line.strip_prefix("| ")?.split(" | ");
    let first = columns.next()?;
    let is_status = first.len() == 3 && first.bytes().all(|byte| byte.is_ascii_digit());
    let code = if is_status { columns.next()? } else { first };
    code.strip_prefix('`')?.strip_suffix('`').filter(|code| is_code(code))
}

fn is_code(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Everything between two quotes: string literals, and the source between them, which is no code.
fn pieces(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').skip(1)
}

fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut sources(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
