//! Columns of a row, from PostgreSQL's types.

use std::error::Error;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use crate::StorageError;

type Outcome<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// A column's value on its way out.
pub(crate) struct Decoded<T>(T);

impl FromSql<'_> for Decoded<i64> {
    fn from_sql(ty: &Type, raw: &[u8]) -> Outcome<Self> {
        Ok(Self(match *ty {
            Type::INT8 => i64::from_sql(ty, raw)?,
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            // A literal is 4 bytes wide: `SELECT 0`.
            _ => i32::from_sql(ty, raw)?.into(),
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::INT2)
    }
}

macro_rules! decoded {
    ($($of:ty)*) => {$(
        impl FromSql<'_> for Decoded<$of> {
            fn from_sql(ty: &Type, raw: &[u8]) -> Outcome<Self> {
                <$of>::from_sql(ty, raw).map(Self)
            }

            fn accepts(ty: &Type) -> bool {
                <$of as FromSql>::accepts(ty)
            }
        }
    )*};
}

decoded!(bool String Vec<u8>);

/// The value of a column.
pub(crate) fn read<T>(row: &Row, at: usize) -> Result<T, StorageError>
where
    Decoded<T>: for<'r> FromSql<'r>,
{
    Ok(row.try_get::<_, Decoded<T>>(at)?.0)
}

/// The value of a column, if it has one.
pub(crate) fn read_nullable<T>(row: &Row, at: usize) -> Result<Option<T>, StorageError>
where
    Decoded<T>: for<'r> FromSql<'r>,
{
    Ok(row.try_get::<_, Option<Decoded<T>>>(at)?.map(|decoded| decoded.0))
}
