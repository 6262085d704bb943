//! Tells a service manager that the relay listens: what is started after it, and an operator's next command, then find
//! it so.

use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

const READY: &[u8] = b"READY=1";

/// Says so at the socket on which a manager waits (sd_notify). One that can't be told gives up on the relay by itself, so that is
/// said too. Names without a path, which are
/// Linux's own and begin with `@`, are not used by systemd for services.
pub fn tell_ready(socket: &OsStr) {
    let told = UnixDatagram::unbound().and_then(|from| from.send_to(READY, Path::new(socket)));
    if told.is_err() {
        tracing::warn!("the service manager could not be told that the relay listens");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_that_waits_is_told_that_the_relay_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        tell_ready(path.as_os_str());
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], READY);
    }
}
