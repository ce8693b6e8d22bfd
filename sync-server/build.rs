//! Lists the steps of the schema: each file of `migrations/` is one, and its name has its number.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("migrations");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut paths =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
    paths.sort();
    let mut steps = String::from("[\n");
    for path in paths {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("the name of a migration is text")?;
        let (number, about) = name.split_once('_').ok_or("the name of a migration is a number and words")?;
        let (number, about): (i64, String) = (number.parse()?, about.replace('_', " "));
        let path = path.to_str().ok_or("the path of a migration is text")?;
        writeln!(steps, "    ({number}, {about:?}, include_str!({path:?})),")?;
    }
    steps.push(']');
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), steps)?)
}
