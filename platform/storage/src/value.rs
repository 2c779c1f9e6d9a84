//! What is bound to a statement and read from its rows, whatever the database: whole numbers, text, bytes.

use std::borrow::Cow;

use crate::StorageError;

/// A value on its way into a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'v> {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(Cow<'v, str>),
    /// Bytes.
    Bytes(Cow<'v, [u8]>),
}

impl Value<'_> {
    /// The same, owned.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(number),
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text.into())
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'v, T: Into<Self>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that was found.
#[derive(Clone, Copy)]
pub struct Row<'r>(pub(crate) RowOf<'r>);

/// The row as its database has it.
#[derive(Clone, Copy)]
pub(crate) enum RowOf<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    #[cfg(feature = "postgres")]
    Postgres(&'r tokio_postgres::Row),
}

/// What a column is read as: `i64`, `bool`, `String`, `Vec<u8>`, and an `Option` of each.
pub trait Column: Sized {
    /// The value of the column at a position, from 0.
    ///
    /// # Errors
    /// When it is of another type.
    fn read(row: Row<'_>, at: usize) -> Result<Self, StorageError>;
}

/// What a row is read as: one column, or a tuple of them.
pub trait FromRow: Sized {
    /// The columns in the order of the statement.
    ///
    /// # Errors
    /// When one is of another type.
    fn from_row(row: Row<'_>) -> Result<Self, StorageError>;
}

macro_rules! columns {
    ($($column:ty)*) => {$(
        impl Column for $column {
            fn read(row: Row<'_>, at: usize) -> Result<Self, StorageError> {
                match row.0 {
                    RowOf::Sqlite(row) => Ok(row.get(at)?),
                    #[cfg(feature = "postgres")]
                    RowOf::Postgres(row) => crate::postgres::column::read(row, at),
                }
            }
        }

        impl Column for Option<$column> {
            fn read(row: Row<'_>, at: usize) -> Result<Self, StorageError> {
                match row.0 {
                    RowOf::Sqlite(row) => Ok(row.get(at)?),
                    #[cfg(feature = "postgres")]
                    RowOf::Postgres(row) => crate::postgres::column::read_nullable::<$column>(row, at),
                }
            }
        }

        impl FromRow for $column {
            fn from_row(row: Row<'_>) -> Result<Self, StorageError> {
                <$column>::read(row, 0)
            }
        }
    )*};
}

columns!(i64 bool String Vec<u8>);

macro_rules! tuples {
    ($($(($name:ident $at:literal))+;)*) => {$(
        impl<$($name: Column),+> FromRow for ($($name,)+) {
            fn from_row(row: Row<'_>) -> Result<Self, StorageError> {
                Ok(($($name::read(row, $at)?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0) (B 1);
    (A 0) (B 1) (C 2);
    (A 0) (B 1) (C 2) (D 3);
    (A 0) (B 1) (C 2) (D 3) (E 4);
    (A 0) (B 1) (C 2) (D 3) (E 4) (F 5);
    (A 0) (B 1) (C 2) (D 3) (E 4) (F 5) (G 6);
    (A 0) (B 1) (C 2) (D 3) (E 4) (F 5) (G 6) (H 7) (I 8) (J 9);
    (A 0) (B 1) (C 2) (D 3) (E 4) (F 5) (G 6) (H 7) (I 8) (J 9) (K 10);
}
