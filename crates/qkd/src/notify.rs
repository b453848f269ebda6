//! Tells a service manager when a daemon is ready and when it stops, as sd_notify(3) describes it.
//!
//! One datagram of text to the socket that `NOTIFY_SOCKET` names. Without that variable nobody
//! wants to know and nothing happens; what goes wrong is logged and stops no service. It never
//! reads anything from the manager.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Name of the variable in which the manager names its socket.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// What the manager may learn.
#[derive(Debug, Clone, Copy)]
pub enum News {
    /// Every socket is open; the gRPC services are at this address.
    Ready(std::net::SocketAddr),
    /// The end has begun.
    Stopping,
}

impl News {
    /// The assignments of sd_notify(3), one a line.
    fn text(self) -> String {
        match self {
            News::Ready(services) => format!("READY=1\nSTATUS=services at {services}\n"),
            News::Stopping => "STOPPING=1\nSTATUS=stopping\n".to_owned(),
        }
    }
}

/// Tells the service manager of this process, if it has one that listens.
pub fn tell(news: News) {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    if let Err(error) = send(&socket, &news.text()) {
        tracing::warn!(
            %error,
            "cannot tell the service manager ({SOCKET}={}): it may take this service for dead",
            socket.display()
        );
    }
}

fn send(socket: &OsStr, text: &str) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    // A leading @ stands for the zero byte of an abstract address.
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    datagram.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_through_a_file_and_through_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let services = std::net::SocketAddr::from(([127, 0, 0, 1], 7001));
        send(path.as_os_str(), &News::Ready(services).text()).unwrap();
        assert_eq!(
            received(&listener),
            "READY=1\nSTATUS=services at 127.0.0.1:7001\n"
        );

        let name = format!("qkd-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        send(format!("@{name}").as_ref(), &News::Stopping.text()).unwrap();
        assert_eq!(received(&listener), "STOPPING=1\nSTATUS=stopping\n");
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error_and_no_panic() {
        assert!(send("/nowhere/notify".as_ref(), "READY=1").is_err());
        assert!(send("".as_ref(), "READY=1").is_err());
    }
}
