//! Rows of the alert: the text, sealed like any other, and the contacts that it goes to.

use beresta_proto::words::Words;

use super::contact::ContactId;
use super::{StoreError, Tx};

impl Tx<'_> {
    /// Keeps a text for these contacts, in place of the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_alert(&self, text: &Words, to: &[ContactId]) -> Result<(), StoreError> {
        self.remove_alert()?;
        let (seed, body) = self.sealed(text)?;
        self.run("INSERT INTO alert (one, body, seed) VALUES (1, ?1, ?2)", (body, seed.0))?;
        for contact in to {
            self.run("INSERT OR IGNORE INTO alert_contact (contact) VALUES (?1)", [contact.0])?;
        }
        Ok(())
    }

    /// Removes the alert: false if there was none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_alert(&self) -> Result<bool, StoreError> {
        let removed = self.erase("DELETE FROM alert WHERE one = 1", [])?;
        // By its rows: emptied as a whole, a list with none in it would be written too.
        self.erase("DELETE FROM alert_contact WHERE contact > 0", [])?;
        Ok(removed > 0)
    }

    /// The text of the alert; none if there is no alert, or its key is gone: an older database was put back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn alert_text(&self) -> Result<Option<Words>, StoreError> {
        let mut statement = self.conn().prepare_cached("SELECT body, seed FROM alert")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(self.opened(row)?).filter(|text| !text.is_empty()))
    }

    /// Whom the alert goes to, oldest first; nobody if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn alert_contacts(&self) -> Result<Vec<ContactId>, StoreError> {
        self.all("SELECT contact FROM alert_contact ORDER BY contact", [], |row| row.get(0).map(ContactId))
    }
}
