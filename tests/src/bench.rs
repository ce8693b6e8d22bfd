//! The benchmarks: modules that make tables, and modules with a function from data to figures. Nothing here prints.

pub mod append;
pub mod codec;
pub mod costs;
pub mod follower;
pub mod groups;
pub mod history;
pub mod hostile;
pub mod in_node;
pub mod live;
pub mod load;
pub mod machine;
pub mod peers;
pub mod reads;
pub mod reconnect;
pub mod recorders;
pub mod rest;
pub mod road_reads;
pub mod roads;
pub mod rows;
pub mod search;
pub mod sizes;
pub mod tap;
pub mod upload;

use std::fmt::Write;

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::synthetic::{self, Kind, Options};

/// A table as people read it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its title.
    pub title: &'static str,
    /// The conditions of the measurement.
    pub notes: String,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns the table in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.notes);
        let mut line = |cells: &[String]| writeln!(text, "| {} |", cells.join(" | ")).expect("memory takes all");
        line(&self.columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let rules: Vec<_> = (0..self.columns.len()).map(|column| if column == 0 { "---" } else { "--:" }).collect();
        line(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>());
        for row in &self.rows {
            line(row);
        }
        text
    }

    /// Returns a document of tables with this one in place of that with the same title, or at the end.
    pub fn put_into(&self, document: &str) -> String {
        let mut sections: Vec<&str> = document.split("\n## ").collect();
        let table = self.markdown();
        let section = table.trim_start_matches("## ");
        match sections.iter().position(|section| section.lines().next() == Some(self.title)) {
            Some(place) => sections[place] = section,
            None => sections.push(section),
        }
        sections.join("\n## ")
    }
}

/// Returns the median of values; 0 without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns a whole number with separators.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

/// A synthetic drive, always the same.
fn made_drive(minutes: u32, kind: Kind) -> Vec<Fix> {
    synthetic::drive(1, Options { start: Timestamp(1_717_232_400_000), minutes, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_of_its_title() {
        let table = |title, cell: &str| Table {
            title,
            notes: "Notes.".to_owned(),
            columns: vec!["a"],
            rows: vec![vec![cell.to_owned()]],
        };
        let document = ["First", "Second", "Third"]
            .into_iter()
            .fold("# All\n".to_owned(), |document, title| table(title, "old").put_into(&document));
        let whole = |cell| {
            let tables = [("First", "old"), ("Second", cell), ("Third", "old")];
            tables.map(|(title, cell)| format!("\n{}", table(title, cell).markdown())).concat()
        };
        assert_eq!(document, format!("# All\n{}", whole("old")));
        assert_eq!(table("Second", "new").put_into(&document), format!("# All\n{}", whole("new")));
    }

    #[test]
    fn numbers_are_grouped_by_thousands_and_the_middle_one_is_found() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (2.0, 0.0));
    }
}
