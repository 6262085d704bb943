//! Between columns and the types of `proto`: a value of the wrong length means a damaged store.

use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use rusqlite::Row;
use zeroize::Zeroize as _;

use super::{StoreError, Tx};

/// The bytes of a column of exactly `N` bytes.
pub(super) fn array<const N: usize>(row: &Row<'_>, column: &str) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map_err(|_| StoreError::Damaged)
}

/// A secret column: the copy that was read is wiped.
pub(super) fn secret<const N: usize, S>(
    row: &Row<'_>,
    column: &str,
    take: impl FnOnce(&mut [u8; N]) -> S,
) -> Result<S, StoreError> {
    let mut bytes: Vec<u8> = row.get(column)?;
    let array = bytes.as_slice().try_into();
    bytes.zeroize();
    let mut array: [u8; N] = array.map_err(|_| StoreError::Damaged)?;
    Ok(take(&mut array))
}

/// A column of something said, a name or a link: wiped when dropped.
pub(super) fn words(row: &Row<'_>, column: &str) -> Result<Words, StoreError> {
    Ok(row.get::<_, String>(column)?.into())
}

/// A time column.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp, StoreError> {
    Ok(from_db(row.get(column)?))
}

/// A time for a column. SQLite's integers are signed; the year 292,278,994 is late enough.
pub(super) fn to_db(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A time from a column.
pub(super) fn from_db(time: i64) -> Timestamp {
    Timestamp(u64::try_from(time).unwrap_or(0))
}

/// A number that a column holds as one of a few codes.
pub(super) fn code<T>(
    row: &Row<'_>,
    column: &str,
    from: impl FnOnce(i64) -> Option<T>,
) -> Result<T, StoreError> {
    from(row.get(column)?).ok_or(StoreError::Damaged)
}

impl Tx<'_> {
    /// Every row of a query, read by `read`.
    pub(super) fn query_all<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn().prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(read(row)?);
        }
        Ok(out)
    }

    /// The one time that a query gives, if it gives any.
    pub(super) fn earliest(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Option<Timestamp>, StoreError> {
        #[cfg(test)]
        self.assert_by_index(sql);
        let time: Option<i64> = self.conn().prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?;
        Ok(time.map(from_db))
    }

    /// What grows with the years is not read whole after each step.
    #[cfg(test)]
    fn assert_by_index(&self, sql: &str) {
        let mut statement = self.conn().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let plan: String = row.get("detail").unwrap();
            let grows = plan.split(' ').nth(1) == Some("message");
            assert!(!grows || plan.contains(" INDEX "), "{sql}: {plan}");
        }
    }
}
