//! Values, in PostgreSQL's types.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, WrongType, to_sql_checked};

use crate::Value;

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
