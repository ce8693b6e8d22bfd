//! The corpus of the fuzz targets through the very functions that are fuzzed: seeds made by the real encoders, and whatever
//! fuzzing found.

use std::fs;
use std::path::Path;

use targets::TARGETS;
use tourismo_tests::gpx_file;

#[path = "../../../sync-server/src/api/cursor.rs"]
#[expect(dead_code, reason = "it is a module of another crate, of which some lists are enough here")]
mod cursor;
#[path = "../../fuzz/src/targets.rs"]
#[expect(
    unreachable_pub,
    dead_code,
    reason = "it is the public module of another crate, which writes seeds with it, too"
)]
mod targets;

#[test]
fn every_file_of_the_corpus_is_survived() -> anyhow::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut files = fs::read_dir(corpus.join(name))?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        anyhow::ensure!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let bytes = fs::read(file.path())?;
            // A failing test names the file last.
            eprintln!("{}", file.path().display());
            target(&bytes);
        }
    }
    Ok(())
}
