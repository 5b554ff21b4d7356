//! Over TCP: a listener with a deep backlog, and the loop that gives each connection its task.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::plc::Plc;
use crate::registry::Ends;

/// Connections that the kernel keeps for us: a storm of clients must meet the PLC's limits, not the listener's.
pub const BACKLOG: u32 = 1024;
/// Pause after a failed accept; out of file descriptors, it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens on `address` with a backlog of [`BACKLOG`]. Needs a runtime with I/O.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A PLC that starts again must not wait for the sockets of its former life.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves every connection until `stop` is cancelled; then ends all sessions and returns when they are gone.
pub async fn serve(plc: Plc, listener: TcpListener, stop: CancellationToken) {
    let mut sessions = JoinSet::new();
    // Every connection's, unless the listener takes those to any address of the machine.
    let ours = listener.local_addr().ok().filter(|address| !address.ip().is_unspecified());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    sessions.spawn(serve_one(plc.clone(), stream, client, ours));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    sessions.shutdown().await;
}

async fn serve_one(plc: Plc, mut stream: TcpStream, client: SocketAddr, ours: Option<SocketAddr>) {
    // Without it each answer would wait for the client's delayed ACK. Where it fails, answers are late, not wrong.
    let _ = stream.set_nodelay(true);
    let ends = ours.or_else(|| stream.local_addr().ok()).map(|server| Ends { client, server });
    if plc.serve_between(&mut stream, ends).await.asks_for_reset() {
        // Dropping the stream now sends an RST. Where it fails, the client sees an end instead.
        let _ = stream.set_zero_linger();
    }
}
