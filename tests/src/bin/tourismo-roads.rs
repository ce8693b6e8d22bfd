//! The command `tourismo-roads`: the road score of known drives, as Markdown.

use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use tourismo_tests::roads;

/// Score known drives: synthetic ones and, if `../shared/tracks` exists beside the repository, real ones.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Write between the markers in this file; by default to the standard output.
    #[arg(long)]
    write: Option<PathBuf>,
}

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->\n";

fn main() -> anyhow::Result<()> {
    let known = roads::known()?;
    let table = format!("{}\n{}", roads::separations(&known), roads::table(&known));
    let Some(path) = Cli::parse().write else {
        return Ok(std::io::stdout().lock().write_all(table.as_bytes())?);
    };
    let page = std::fs::read_to_string(&path)?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| anyhow::anyhow!("{} has no marks", path.display()))?;
    Ok(std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?)
}
