//! Describes the columns of a table once, for inserting, selecting and reading.
//!
//! `columns!` lists the fields of a struct that are columns; `numbers!` assigns numbers to the variants of an enum.

use std::fmt::Write;

use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};

use super::{Bulk, SqlRow, Value};

/// The value of one column, or of several columns that belong together.
pub(crate) trait Columns: Sized {
    /// Adds the column names of a field with this name.
    fn names(field: &'static str, names: &mut Vec<&'static str>);

    /// Adds the values of the columns; NULL for each if there is no value.
    fn bind(value: Option<&Self>, values: &mut Vec<Value>);

    /// Reads the columns of a field with this name, whose names in the row have a prefix.
    fn read(row: &SqlRow, prefix: &str, field: &'static str) -> Result<Self, sqlx::Error>;

    /// Returns whether the columns of a field with this name are NULL. Columns that belong together are NULL together.
    fn is_null(row: &SqlRow, prefix: &str, field: &'static str) -> Result<bool, sqlx::Error>;

    /// Returns the column names of a struct.
    fn list() -> Vec<&'static str> {
        let mut names = Vec::new();
        Self::names("", &mut names);
        names
    }

    /// Returns the columns of a struct for a `SELECT`, of a table or alias.
    fn of(table: &str) -> String {
        let names = Self::list().into_iter().map(|name| format!("{table}.{name}"));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns the columns of a struct for a `SELECT`, each with a prefix in its name.
    fn of_as(table: &str, prefix: &str) -> String {
        let names = Self::list().into_iter().map(|name| format!("{table}.{name} AS {prefix}{name}"));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns the values of the columns of a struct.
    fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        Self::bind(Some(self), &mut values);
        values
    }

    /// Reads a struct.
    fn from_row(row: &SqlRow) -> Result<Self, sqlx::Error> {
        Self::read(row, "", "")
    }
}

/// A statement that inserts rows, or replaces those with the same key.
#[derive(Debug)]
pub(crate) struct Insert {
    before: String,
    after: String,
}

impl Insert {
    /// Creates a statement that inserts these columns into a table.
    pub(crate) fn into(table: &str, columns: &[&str]) -> Insert {
        Insert { before: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")), after: String::new() }
    }

    /// Creates a statement that inserts these columns into a table, the first `key` of which are its key. It updates
    /// the other columns of a row with the same key.
    pub(crate) fn or_replace(table: &str, columns: &[&str], key: usize) -> Insert {
        let (key, others) = columns.split_at(key);
        let mut after = format!("ON CONFLICT ({}) DO UPDATE SET ", key.join(", "));
        for (index, name) in others.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(after, "{comma}{name} = excluded.{name}").expect("writing to memory cannot fail");
        }
        Insert { after, ..Insert::into(table, columns) }
    }

    /// Returns an empty list of rows for the statement.
    pub(crate) fn rows(&'static self) -> Bulk {
        Bulk::new(&self.before, &self.after)
    }
}

/// Lists the fields of a struct that are columns: `field`, or `field: "column"` for another name. The fields that are
/// not columns follow, each with the expression that reads it.
macro_rules! columns {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $column:literal) => { $column };
    ($row:ty { $($field:ident $(: $column:literal)?),+ $(,)? } $($beside:ident = $make:expr),*) => {
        impl $crate::db::sql::Columns for $row {
            fn names(_: &'static str, names: &mut Vec<&'static str>) {
                $($crate::db::sql::names_of(|row: &$row| &row.$field, columns!(@name $field $($column)?), names);)+
            }

            fn bind(value: Option<&Self>, values: &mut Vec<$crate::db::sql::Value>) {
                $($crate::db::sql::Columns::bind(value.map(|row| &row.$field), values);)+
            }

            fn read(
                row: &$crate::db::sql::SqlRow,
                prefix: &str,
                _: &'static str,
            ) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $($field: $crate::db::sql::Columns::read(row, prefix, columns!(@name $field $($column)?))?,)+
                    $($beside: {
                        let make: fn(&$crate::db::sql::SqlRow) -> Result<_, sqlx::Error> = $make;
                        make(row)?
                    },)*
                })
            }

            fn is_null(
                row: &$crate::db::sql::SqlRow,
                prefix: &str,
                _: &'static str,
            ) -> Result<bool, sqlx::Error> {
                Ok(true $(&& $crate::db::sql::is_null_of(
                    |row: &$row| &row.$field, row, prefix, columns!(@name $field $($column)?)
                )?)+)
            }
        }
    };
}

/// Assigns to the variants of an enum their numbers in columns. A number must never be reused for another variant.
macro_rules! numbers {
    ($name:ty { $($variant:ident = $number:literal),+ $(,)? }) => {
        impl $crate::db::sql::Numbered for $name {
            fn number(self) -> i64 {
                match self {
                    $(<$name>::$variant => $number,)+
                }
            }

            fn from_number(number: i64) -> Option<Self> {
                match number {
                    $($number => Some(<$name>::$variant),)+
                    _ => None,
                }
            }
        }

        $crate::db::sql::one_column!($name, Int, |value| $crate::db::sql::Numbered::number(*value),
            |number: i64| $crate::db::sql::Numbered::from_number(number));

        impl From<$name> for $crate::db::sql::Value {
            fn from(value: $name) -> $crate::db::sql::Value {
                $crate::db::sql::Numbered::number(value).into()
            }
        }
    };
}

/// Implements [`Columns`] for a type that is stored as one kind of [`Value`].
macro_rules! one_column {
    ($type:ty, $value:ident, $write:expr, $read:expr) => {
        impl $crate::db::sql::Columns for $type {
            fn names(field: &'static str, names: &mut Vec<&'static str>) {
                names.push(field);
            }

            fn bind(value: Option<&Self>, values: &mut Vec<$crate::db::sql::Value>) {
                let write: fn(&$type) -> _ = $write;
                values.push($crate::db::sql::Value::$value(value.map(write)));
            }

            fn read(row: &$crate::db::sql::SqlRow, prefix: &str, field: &'static str) -> Result<Self, sqlx::Error> {
                let read: fn(_) -> Option<$type> = $read;
                read(row.get_behind(prefix, field)?).ok_or_else(|| $crate::db::damaged(field))
            }

            fn is_null(row: &$crate::db::sql::SqlRow, prefix: &str, field: &'static str) -> Result<bool, sqlx::Error> {
                row.is_null_behind(prefix, field)
            }
        }
    };
}

pub(crate) use {columns, numbers, one_column};

/// An enum whose variants are stored as numbers.
pub(crate) trait Numbered: Copy {
    /// Returns the number of the variant.
    fn number(self) -> i64;
    /// Returns the variant of a number, if there is one.
    fn from_number(number: i64) -> Option<Self>;
}

/// Adds the column names of the field that a function selects.
pub(crate) fn names_of<R, T: Columns>(_: fn(&R) -> &T, field: &'static str, names: &mut Vec<&'static str>) {
    T::names(field, names);
}

/// Returns whether the columns of the field that a function selects are NULL.
pub(crate) fn is_null_of<R, T: Columns>(
    _: fn(&R) -> &T,
    row: &SqlRow,
    prefix: &str,
    field: &'static str,
) -> Result<bool, sqlx::Error> {
    T::is_null(row, prefix, field)
}

one_column!(String, Text, |text| text.replace('\0', "\u{fffd}"), Some);
one_column!(f64, Real, |number| *number, Some);
one_column!(i64, Int, |number| *number, Some);
one_column!(bool, Int, |is_so| i64::from(*is_so), |number: i64| Some(number == 1));
one_column!(u16, Int, |number| i64::from(*number), |number: i64| u16::try_from(number).ok());
one_column!(u32, Int, |number| i64::from(*number), |number: i64| u32::try_from(number).ok());
// Positions count rows, so they fit.
one_column!(u64, Int, |number| i64::try_from(*number).unwrap_or(i64::MAX), |number: i64| u64::try_from(number).ok());
one_column!(Vec<u8>, Bytes, Vec::clone, Some);
one_column!(AccountId, Bytes, |id| id.as_bytes().to_vec(), |bytes: Vec<u8>| bytes
    .try_into()
    .ok()
    .map(AccountId::from_bytes));
one_column!(DocId, Bytes, |id| id.as_bytes().to_vec(), |bytes: Vec<u8>| bytes.try_into().ok().map(DocId::from_bytes));
one_column!(Timestamp, Int, |at| at.as_millis(), |at| Some(Timestamp(at)));
one_column!(UtcOffset, Int, |offset| offset.as_minutes(), UtcOffset::from_minutes);

impl<T: Columns> Columns for Option<T> {
    fn names(field: &'static str, names: &mut Vec<&'static str>) {
        T::names(field, names);
    }

    fn bind(value: Option<&Self>, values: &mut Vec<Value>) {
        T::bind(value.and_then(Option::as_ref), values);
    }

    fn read(row: &SqlRow, prefix: &str, field: &'static str) -> Result<Self, sqlx::Error> {
        if T::is_null(row, prefix, field)? { Ok(None) } else { T::read(row, prefix, field).map(Some) }
    }

    fn is_null(row: &SqlRow, prefix: &str, field: &'static str) -> Result<bool, sqlx::Error> {
        T::is_null(row, prefix, field)
    }
}

/// A position: longitude and latitude, degrees.
impl Columns for [f64; 2] {
    fn names(_: &'static str, names: &mut Vec<&'static str>) {
        names.extend(["lon", "lat"]);
    }

    fn bind(value: Option<&Self>, values: &mut Vec<Value>) {
        values.extend([0, 1].map(|index| Value::Real(value.map(|place| place[index]))));
    }

    fn read(row: &SqlRow, prefix: &str, _: &'static str) -> Result<Self, sqlx::Error> {
        Ok([row.get_behind(prefix, "lon")?, row.get_behind(prefix, "lat")?])
    }

    fn is_null(row: &SqlRow, prefix: &str, _: &'static str) -> Result<bool, sqlx::Error> {
        row.is_null_behind(prefix, "lon")
    }
}

/// Bounds: west, south, east, north, degrees.
impl Columns for [f64; 4] {
    fn names(_: &'static str, names: &mut Vec<&'static str>) {
        names.extend(["west", "south", "east", "north"]);
    }

    fn bind(value: Option<&Self>, values: &mut Vec<Value>) {
        values.extend([0, 1, 2, 3].map(|index| Value::Real(value.map(|bounds| bounds[index]))));
    }

    fn read(row: &SqlRow, prefix: &str, _: &'static str) -> Result<Self, sqlx::Error> {
        let [west, south, east, north] =
            ["west", "south", "east", "north"].map(|name| row.get_behind::<f64>(prefix, name));
        Ok([west?, south?, east?, north?])
    }

    fn is_null(row: &SqlRow, prefix: &str, _: &'static str) -> Result<bool, sqlx::Error> {
        row.is_null_behind(prefix, "west")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sql::query;
    use crate::db::{Database, Durability};

    #[derive(Clone, Debug, PartialEq)]
    struct Lake {
        id: DocId,
        kind: LakeKind,
        depth_m: Option<f64>,
        middle: Option<[f64; 2]>,
        frozen: bool,
        drawn: Vec<u8>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum LakeKind {
        Fresh,
        Salt,
    }

    columns!(Lake { id, kind: "sort", depth_m, middle, frozen } drawn = |_| Ok(Vec::new()));
    numbers!(LakeKind { Fresh = 0, Salt = 4 });

    #[tokio::test]
    async fn what_is_written_by_a_description_is_read_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let opened =
            Database::open(&folder.path().join("x.sqlite").into(), None, Durability::EveryCommit).await.unwrap();
        let mut writer = opened.writer;
        assert_eq!(Lake::list(), ["id", "sort", "depth_m", "lon", "lat", "frozen"]);
        let table =
            "CREATE TABLE lake (id BLOB PRIMARY KEY, sort INTEGER, depth_m REAL, lon REAL, lat REAL, frozen INTEGER)";
        query(table).execute(&mut writer).await.unwrap();
        let insert: &'static Insert = Box::leak(Box::new(Insert::or_replace("lake", &Lake::list(), 1)));
        let (id, kind) = (DocId::from_bytes([7; 16]), LakeKind::Salt);
        let deep = Lake { id, kind, depth_m: Some(3.5), middle: Some([8.0, 47.0]), frozen: true, drawn: Vec::new() };
        let unknown = Lake { kind: LakeKind::Fresh, depth_m: None, middle: None, frozen: false, ..deep.clone() };
        for lake in [deep, unknown] {
            let mut rows = insert.rows();
            rows.row(lake.values());
            assert_eq!(rows.execute(&mut writer).await.unwrap(), 1);
            let read = query("SELECT id, sort, depth_m, lon, lat, frozen FROM lake").rows(&mut writer, Lake::from_row);
            assert_eq!(read.await.unwrap(), std::slice::from_ref(&lake));
            let select = sqlx::AssertSqlSafe(format!("SELECT {} FROM lake", Lake::of_as("lake", "l_")));
            let read = query(select).rows(&mut writer, |row| Lake::read(row, "l_", "")).await.unwrap();
            assert_eq!(read, [lake]);
        }
        query("UPDATE lake SET sort = 3").execute(&mut writer).await.unwrap();
        let read =
            query("SELECT id, sort, depth_m, lon, lat, frozen FROM lake").rows(&mut writer, Lake::from_row).await;
        assert_eq!(read.unwrap_err().to_string(), "error occurred while decoding: the column sort is damaged");
    }
}
