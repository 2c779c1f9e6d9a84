//! Values and columns, in PostgreSQL's types.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, WrongType, to_sql_checked};

use crate::{StorageError, Value};

type Outcome<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// A value takes the type that the statement gives its placeholder.
impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Outcome<IsNull> {
        let wrong = || -> Outcome<IsNull> { Err(Box::new(WrongType::new::<Self>(ty.clone()))) };
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => match *ty {
                Type::INT8 => number.to_sql(ty, out),
                // What stands beside a literal is no wider than the literal.
                Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
                Type::INT2 => i16::try_from(*number)?.to_sql(ty, out),
                _ => wrong(),
            },
            Self::Text(text) if <&str as ToSql>::accepts(ty) => (&**text).to_sql(ty, out),
            Self::Bytes(bytes) if *ty == Type::BYTEA => (&**bytes).to_sql(ty, out),
            Self::Text(_) | Self::Bytes(_) => wrong(),
        }
    }

    fn accepts(_: &Type) -> bool {
        // By value, in `to_sql`.
        true
    }

    to_sql_checked!();
}

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
