//! The census of file descriptors, on real ones.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use watertight_probe::fds::{self, Fd, Kind};
use watertight_probe::plant;

use crate::case::cases;

cases![
    both_ends_of_a_tcp_connection_are_listed_with_peer_and_state,
    a_planted_fd_is_dev_null_and_its_line_is_known,
    a_number_used_again_has_no_origin,
    every_kind_is_told_apart,
    unix_sockets_are_named_by_their_path,
    counting_opens_and_keeps_nothing,
    a_process_that_is_not_there_is_an_error,
];

fn census() -> Vec<Fd> {
    fds::census(None).expect("/proc is there")
}

fn both_ends_of_a_tcp_connection_are_listed_with_peer_and_state() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let near = TcpStream::connect(address).expect("it listens");
    let (far, _) = listener.accept().expect("it was called");
    let near_address = near.local_addr().expect("it is connected");
    let all = census();
    let states = |local: &str| -> Vec<_> {
        let at = all.iter().filter(|fd| fd.local.as_deref() == Some(local));
        at.map(|fd| (fd.kind, fd.peer.clone(), fd.state.clone().unwrap_or_default())).collect()
    };
    let (near_text, far_text) = (near_address.to_string(), address.to_string());
    assert_eq!(states(&near_text), [(Kind::Socket, Some(far_text.clone()), "ESTAB".to_owned())]);
    let both = states(&far_text);
    assert!(both.contains(&(Kind::Socket, None, "LISTEN".to_owned())), "{both:?}");
    assert!(both.contains(&(Kind::Socket, Some(near_text.clone()), "ESTAB".to_owned())), "{both:?}");
    drop(far);
    let all = census();
    let left = all.iter().find(|fd| fd.local.as_ref() == Some(&near_text)).expect("the near end is open");
    assert_eq!(left.state.as_deref(), Some("CLOSE-WAIT"));
    assert_eq!(left.describe(), "tcp to 127.0.0.1:*, CLOSE-WAIT");
}

fn a_planted_fd_is_dev_null_and_its_line_is_known() {
    let before = census();
    plant::fd().expect("fds are left");
    let more: Vec<_> = census().into_iter().filter(|fd| !before.contains(fd)).collect();
    assert_eq!(more.iter().map(Fd::describe).collect::<Vec<_>>(), ["file /dev/null"]);
    let place = more[0].opened_at.as_deref().expect("the plant says where");
    assert!(place.starts_with("harness/probe/src/plant.rs:"), "{place}");
}

fn a_number_used_again_has_no_origin() {
    let null = std::fs::File::open("/dev/null").expect("fds are left");
    fds::opened_here(&null);
    drop(null);
    let zero = std::fs::File::open("/dev/zero").expect("fds are left");
    let all = census();
    let again = all.iter().find(|fd| fd.fd == zero.as_raw_fd().unsigned_abs()).expect("it is open");
    assert_eq!(again.opened_at, None);
}

fn every_kind_is_told_apart() {
    let before = census();
    let _runtime = crate::tasks::paused();
    let _pipe = std::io::pipe().expect("fds are left");
    let mut kinds: Vec<_> =
        census().into_iter().filter(|fd| !before.contains(fd)).map(|fd| fd.kind).collect();
    kinds.dedup();
    for kind in [Kind::Epoll, Kind::EventFd, Kind::Pipe] {
        assert!(kinds.contains(&kind), "{kind:?} is missing in {kinds:?}");
    }
}

fn unix_sockets_are_named_by_their_path() {
    let path = std::env::temp_dir().join(format!("watertight-probe-fds-{}.sock", std::process::id()));
    let before = census();
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a folder for temporary files");
    let pair = std::os::unix::net::UnixStream::pair().expect("fds are left");
    let more: Vec<_> = census().into_iter().filter(|fd| !before.contains(fd)).collect();
    std::fs::remove_file(&path).expect("it is ours");
    let told: Vec<_> = more.iter().map(Fd::describe).collect();
    let listening = format!("unix socket at {}, LISTEN", path.display());
    assert_eq!(told, [listening, "unix socket, ESTAB".to_owned(), "unix socket, ESTAB".to_owned()]);
    drop((listener, pair));
}

fn counting_opens_and_keeps_nothing() {
    let count = || fds::count(None).expect("/proc is there");
    let before = count();
    assert_eq!(before, census().len() as u64);
    assert_eq!(Some(before), fds::count(Some(std::process::id())).ok());
    plant::fd().expect("fds are left");
    assert_eq!(count(), before + 1);
}

fn a_process_that_is_not_there_is_an_error() {
    // Above the largest pid that Linux gives out (2^22).
    assert!(fds::count(Some(1 << 30)).is_err());
}
