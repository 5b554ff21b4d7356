//! A port for a program that cannot choose one itself.

use tokio::net::TcpSocket;

/// A port of loopback that nobody is given, neither to listen nor to connect from, while this lives; who asks for it by number, as
/// servers do that allow the reuse of their address, may listen on it. Until then connects are refused.
pub struct Port {
    pub number: u16,
    _kept: TcpSocket,
}

impl Port {
    pub fn free() -> Self {
        let kept = TcpSocket::new_v4().expect("a socket");
        kept.set_reuseaddr(true).expect("an option of every socket");
        kept.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let number = kept.local_addr().expect("it is bound").port();
        Self { number, _kept: kept }
    }
}
