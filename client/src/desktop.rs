//! The desktop's session, and whether it was locked: what logind says on the system bus. The only door to D-Bus.
//!
//! What comes from the bus can do no more than lock. Where there is no bus, no logind or no session, nothing is claimed.

#[cfg(target_os = "linux")]
use std::{collections::HashMap, pin::Pin};

#[cfg(target_os = "linux")]
use zbus::{
    Connection, Message, OwnedObjectPath, OwnedVariant, Proxy, export::futures_core::Stream as _,
    proxy::SignalStream,
};

#[cfg(target_os = "linux")]
const LOGIND: &str = "org.freedesktop.login1";
#[cfg(target_os = "linux")]
const SESSION: &str = "org.freedesktop.login1.Session";

/// Nobody says whether the desktop is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no session of a desktop is known")]
pub(crate) struct NoSession;

#[cfg(target_os = "linux")]
impl From<zbus::Error> for NoSession {
    fn from(_: zbus::Error) -> Self {
        Self
    }
}

/// The session of this process; or of the person, where the process belongs to none.
#[cfg(target_os = "linux")]
pub(crate) struct Session {
    locks: SignalStream<'static>,
    changes: SignalStream<'static>,
}

#[cfg(target_os = "linux")]
impl Session {
    /// Asks logind for the session, and hears of it from now on. May wait for as long as the bus does.
    ///
    /// # Errors
    /// [`NoSession`].
    pub(crate) async fn find() -> Result<Self, NoSession> {
        let bus = Connection::system().await?;
        let manager =
            Proxy::new(&bus, LOGIND, "/org/freedesktop/login1", "org.freedesktop.login1.Manager").await?;
        let path: OwnedObjectPath = manager.call("GetSession", &("auto",)).await?;
        let session = Proxy::new(&bus, LOGIND, path.clone(), SESSION).await?;
        let properties = Proxy::new(&bus, LOGIND, path, "org.freedesktop.DBus.Properties").await?;
        let locks = session.receive_signal("Lock").await?;
        let changes = properties.receive_signal("PropertiesChanged").await?;
        Ok(Self { locks, changes })
    }

    /// Waits until somebody has the desktop locked, or it says that it is. One that was locked before is not waited for: who
    /// works from elsewhere may have left it so.
    ///
    /// # Errors
    /// [`NoSession`] once the bus says nothing any more.
    pub(crate) async fn locked(&mut self) -> Result<(), NoSession> {
        loop {
            tokio::select! {
                asked = next(&mut self.locks) => return asked.map(drop),
                changed = next(&mut self.changes) => if says_locked(&changed?) { return Ok(()) },
            }
        }
    }
}

#[cfg(target_os = "linux")]
async fn next(signals: &mut SignalStream<'static>) -> Result<Message, NoSession> {
    std::future::poll_fn(|cx| Pin::new(&mut *signals).poll_next(cx)).await.ok_or(NoSession)
}

/// Whether a change of properties says that the session is locked now.
#[cfg(target_os = "linux")]
fn says_locked(changed: &Message) -> bool {
    let body = changed.body();
    let Ok((of, now, _)) = body.deserialize::<(String, HashMap<String, OwnedVariant>, Vec<String>)>() else {
        return false;
    };
    let hint = now.get("LockedHint").and_then(|hint| hint.downcast_ref::<bool>().ok());
    of == SESSION && hint == Some(true)
}

/// Of other systems nothing is known.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Session;

#[cfg(not(target_os = "linux"))]
impl Session {
    #[expect(clippy::unused_async, reason = "as on Linux")]
    pub(crate) async fn find() -> Result<Self, NoSession> {
        Err(NoSession)
    }

    pub(crate) async fn locked(&mut self) -> Result<(), NoSession> {
        std::future::pending().await
    }
}
