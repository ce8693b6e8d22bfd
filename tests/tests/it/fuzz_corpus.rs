//! Runs the corpus through the functions of the fuzz targets: seeds from the real encoders, and inputs that fuzzing
//! found.

mod seeds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use targets::TARGETS;

#[path = "../../../sync-server/src/http/cursor.rs"]
#[expect(dead_code, reason = "it is a module of another crate, of which some lists are enough here")]
mod cursor;
#[path = "../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "it is the public module of another crate")]
mod targets;

#[test]
fn every_file_of_the_corpus_is_survived() -> anyhow::Result<()> {
    let corpus = corpus();
    for (name, target) in TARGETS {
        let mut files = fs::read_dir(corpus.join(name))?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        anyhow::ensure!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let bytes = fs::read(file.path())?;
            // The last file name in the output of a failed test is the cause.
            eprintln!("{}", file.path().display());
            target(&bytes);
        }
    }
    Ok(())
}

/// If this variable is set, the seeds are written anew.
const WRITE: &str = "TOURISMO_WRITE_SEEDS";

#[test]
fn the_seeds_of_the_corpus_are_what_the_encoders_make() -> anyhow::Result<()> {
    let mut made: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for (number, (target, seed)) in (1..).zip(seeds::all()) {
        made.insert(corpus().join(target).join(format!("seed-{number:03}")), seed);
    }
    let mut stored = BTreeMap::new();
    for (name, _) in TARGETS {
        for file in fs::read_dir(corpus().join(name))? {
            let path = file?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")) {
                stored.insert(path.clone(), fs::read(path)?);
            }
        }
    }
    if std::env::var_os(WRITE).is_some() {
        stored.keys().try_for_each(fs::remove_file)?;
        made.iter().try_for_each(|(path, seed)| fs::write(path, seed))?;
        return Ok(());
    }
    // Seeds that an older app's storage makes stay valid, so they are not compared.
    let is_same = |path: &PathBuf, seed: &Vec<u8>| {
        stored.get(path).is_some_and(|stored| stored == seed || path.starts_with(corpus().join("storage")))
    };
    let differ = made.iter().filter(|(path, seed)| !is_same(path, seed)).map(|(path, _)| path);
    let differ: Vec<_> = differ.chain(stored.keys().filter(|path| !made.contains_key(*path))).collect();
    anyhow::ensure!(differ.is_empty(), "stale, run this test with {WRITE}=1: {differ:?}");
    Ok(())
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}
