//! What a chaos proxy must hold, T1 to T11: the rows that the best known one was measured wrong on. Each is played in memory
//! and over TCP where both have it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use watertight::chaos::link::Link;
use watertight::chaos::{Effect, Proxy, Side};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;

use crate::net::{DEADLINE, Net, SILENCE, Stream, ping, read_all, until};
use crate::sim::fault;
use crate::toxics::{TOXICS, whole};

macro_rules! rows {
    ($($name:ident)*) => {$(
        mod $name {
            use crate::net::Net;

            #[tokio::test(start_paused = true)]
            async fn in_sim() {
                super::$name(Net::sim()).await;
            }

            #[tokio::test]
            async fn over_tcp() {
                super::$name(Net::tcp().await).await;
            }
        }
    )*};
}

rows! {
    t1_faults_come_and_go_while_1000_connections_are_stalled
    t2_a_reset_is_a_rst_on_busy_and_on_idle_connections
    t3_after_the_clients_shutdown_the_servers_answer_still_arrives
    t4_a_black_hole_heals_without_closing_the_connection
    t5_an_unrelated_fault_leaves_every_other_draw_alone
    t6_the_seed_replays
    t7_a_stalled_reader_makes_the_link_hold_its_buffer_at_most
    t8_connects_that_wait_do_not_wait_for_each_other
    t9_healed_latency_delivers_drops_or_resets_what_is_under_way_as_declared
    t10_p_0_does_nothing_at_all
    t11_how_a_link_is_down_can_be_chosen
}

/// Raises the soft limit of open descriptors, which is 1024 on many machines.
fn allow_descriptors(count: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        limit.current = Some(count);
        setrlimit(Resource::Nofile, limit).expect("the hard limit allows it");
    }
}

async fn pairs(net: &Net, count: usize) -> Vec<(Stream, Stream)> {
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push(net.pair().await);
    }
    pairs
}

async fn sees_rst(end: &mut Stream) {
    let seen = timeout(DEADLINE, end.read(&mut [0])).await.unwrap();
    assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// Which of the clients are cut, once as many are as `wanted` says: a proxy cuts in its own time, in sim who reads is cut.
async fn cut_as(net: &Net, wanted: &[bool], pairs: &mut [(Stream, Stream)]) -> Vec<bool> {
    if matches!(net, Net::Tcp { .. }) {
        let count = wanted.iter().filter(|is_cut| **is_cut).count() as u64;
        until("so many are cut", || net.link().stats().cut >= count).await;
    }
    cut(pairs).await
}

/// Which of the clients are cut.
async fn cut(pairs: &mut [(Stream, Stream)]) -> Vec<bool> {
    let mut cut = Vec::new();
    for (client, _) in pairs {
        cut.push(timeout(SILENCE / 10, client.read(&mut [0])).await.is_ok());
    }
    cut
}

async fn t1_faults_come_and_go_while_1000_connections_are_stalled(net: Net) {
    allow_descriptors(1_000 * 4 + 500);
    let mut pairs = pairs(&net, 1_000).await;
    net.begin("stall: { link: plc }");
    for (client, _) in &mut pairs {
        client.write_all(&[1; 8_192]).await.unwrap();
    }
    // No await from here: nothing that a stalled connection does or leaves undone can come between.
    for _ in 0..100 {
        let id = net.begin("latency: { link: plc, delay: 1ms }");
        assert_eq!((net.link().stats().open_now, net.link().faults_at_work()), (1_000, 2));
        net.link().heal(id);
    }
    net.begin("reset: { link: plc }");
    for (client, server) in &mut pairs {
        sees_rst(client).await;
        sees_rst(server).await;
    }
    assert_eq!(net.link().stats().cut, 1_000);
    net.end().await;
}

async fn t2_a_reset_is_a_rst_on_busy_and_on_idle_connections(net: Net) {
    let (mut busy, mut idle) = (net.pair().await, net.pair().await);
    ping(&mut busy.0, &mut busy.1).await;
    net.begin("reset: { link: plc }");
    for end in [&mut busy.0, &mut busy.1, &mut idle.0, &mut idle.1] {
        sees_rst(end).await;
    }
    net.end().await;
}

async fn t3_after_the_clients_shutdown_the_servers_answer_still_arrives(net: Net) {
    let (mut client, mut server) = net.pair().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut server).await, b"question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(read_all(&mut client).await, b"answer");
    drop(client);
    until("the connection is forgotten", || net.link().stats().open_now == 0).await;
    net.end().await;
}

async fn t4_a_black_hole_heals_without_closing_the_connection(net: Net) {
    let (mut client, mut server) = net.pair().await;
    let id = net.begin("blackhole: { link: plc }");
    client.write_all(b"!").await.unwrap();
    let mut byte = [0];
    assert!(timeout(SILENCE, server.read(&mut byte)).await.is_err());
    net.link().heal(id);
    assert_eq!(timeout(DEADLINE, server.read(&mut byte)).await.unwrap().unwrap(), 1);
    ping(&mut server, &mut client).await;
    net.end().await;
}

const HALF: &str = "reset: { link: plc, p: 50% }";

async fn t5_an_unrelated_fault_leaves_every_other_draw_alone(net: Net) {
    let cut_in_sim = {
        let alone = Net::sim();
        let mut pairs = pairs(&alone, 32).await;
        alone.begin(HALF);
        cut(&mut pairs).await
    };
    net.begin("latency: { link: plc, delay: 1ms, p: 50% }");
    let mut pairs = pairs(&net, 32).await;
    net.begin("mute: { link: plc, p: 50% }");
    net.begin(HALF);
    assert_eq!(
        cut_as(&net, &cut_in_sim, &mut pairs).await,
        cut_in_sim,
        "with two more faults, whatever the carrier"
    );
    net.end().await;
}

async fn t6_the_seed_replays(net: Net) {
    let mut cuts = Vec::new();
    for seed in [7, 7, 8] {
        // A link counts its connections from its first: the same ones on a link of its own.
        let link = Net::sim();
        let mut pairs = pairs(&link, 32).await;
        link.begin_with(HALF, Seed(seed));
        cuts.push(cut(&mut pairs).await);
    }
    assert_eq!(cuts[0], cuts[1]);
    assert_ne!(cuts[0], cuts[2]);
    let mut pairs = pairs(&net, 32).await;
    net.begin_with(HALF, Seed(7));
    assert_eq!(cut_as(&net, &cuts[0], &mut pairs).await, cuts[0]);
    net.end().await;
}

async fn t7_a_stalled_reader_makes_the_link_hold_its_buffer_at_most(net: Net) {
    let (mut client, mut server) = net.pair().await;
    let id = net.begin("stall: { link: plc }");
    let (chunk, mut sent) = (vec![7; 64 * 1024], 0);
    while let Ok(Ok(count)) = timeout(Duration::from_millis(200), client.write(&chunk)).await {
        sent += count;
        assert!(sent < 64 << 20, "somebody holds everything");
    }
    match net {
        Net::Sim(_) => assert_eq!(sent, 64 * 1024),
        // The link's 64 KiB, and what the kernel keeps on both sides of the socket, each twice what it was asked for.
        Net::Tcp { .. } => assert!((64 * 1024..=5 * 64 * 1024).contains(&sent), "{sent}"),
    }
    net.link().heal(id);
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut server).await.len(), sent);
    net.end().await;
}

async fn t8_connects_that_wait_do_not_wait_for_each_other(net: Net) {
    let id = net.begin("accept_hang: { link: plc, p: 50% }");
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(net.connect().await.unwrap());
    }
    let link = net.link().clone();
    until("all are decided", || link.stats().hung + link.stats().connections_opened >= 40).await;
    let mut servers = Vec::new();
    while let Ok(server) = timeout(SILENCE, net.accept()).await {
        servers.push(server);
    }
    assert!((5..=35).contains(&servers.len()), "{}", servers.len());
    link.heal(id);
    while servers.len() < 40 {
        servers.push(timeout(DEADLINE, net.accept()).await.expect("all others at once"));
    }
    net.end().await;
}

/// The ports of this machine's connects that have not been answered, to `port`.
fn unanswered(port: u16) -> usize {
    const SYN_SENT: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!(":{port:04X}");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 3 && row[2].ends_with(&to) && row[3] == SYN_SENT).count()
}

#[tokio::test]
async fn t8_20_clients_before_an_upstream_that_swallows_syns_are_20_dials() {
    // A backlog of one place that is taken: the kernel drops every further SYN.
    let upstream = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    upstream.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    upstream.listen(0).unwrap();
    let addr = upstream.local_addr().unwrap().as_socket().unwrap();
    let _plug = std::net::TcpStream::connect(addr).unwrap();
    let link = Link::new("plc", &LinkSpec::default(), Side::Server);
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = Proxy::start(loopback, addr, link.clone()).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(TcpStream::connect(proxy.addr()).await.unwrap());
    }
    until("20 dials are under way", || unanswered(addr.port()) == 20).await;
    drop(upstream);
    timeout(DEADLINE, proxy.shutdown()).await.expect("dials under way do not hold up the end");
}

async fn t9_healed_latency_delivers_drops_or_resets_what_is_under_way_as_declared(net: Net) {
    for (on_heal, hears) in [("deliver", Ok(2)), ("drop", Ok(0)), ("reset", Err(ErrorKind::ConnectionReset))]
    {
        let (mut client, mut server) = net.pair().await;
        let id = net.begin(&format!("latency: {{ link: plc, delay: 1h, on_heal: {on_heal} }}"));
        client.write_all(b"hi").await.unwrap();
        assert!(timeout(SILENCE, server.read(&mut [0])).await.is_err(), "{on_heal}");
        net.link().heal(id);
        _ = client.shutdown().await;
        let heard = timeout(DEADLINE, server.read_to_end(&mut Vec::new())).await.unwrap();
        assert_eq!(heard.map_err(|error| error.kind()), hears, "{on_heal}");
    }
    net.end().await;
}

async fn t10_p_0_does_nothing_at_all(net: Net) {
    for (toxic, _) in TOXICS {
        let mut old = net.pair().await;
        let id = net.begin(&whole(toxic, ", p: 0"));
        let mut new = net.pair().await;
        for (client, server) in [&mut old, &mut new] {
            ping(client, server).await;
            ping(server, client).await;
        }
        net.link().heal(id);
    }
    let stats = net.link().stats();
    let disturbed = [stats.cut, stats.refused, stats.hung, stats.chunks_delayed, stats.bytes_swallowed];
    assert_eq!(disturbed, [0; 5]);
    assert!(net.link().effects().values().all(|effect| *effect == Effect::default()));
    net.end().await;
}

#[tokio::test]
async fn t10_proxy_and_faults_come_up_together() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    for (toxic, refused) in [("refuse: { link: plc }", true), ("blackhole: { link: plc }", false)] {
        let link = Link::new("plc", &LinkSpec::default(), Side::Server);
        let toxic = fault(toxic);
        link.apply(toxic.id(0, Seed(7)), &toxic);
        let proxy = Proxy::start(loopback, loopback, link).await.unwrap();
        match timeout(SILENCE, TcpStream::connect(proxy.addr())).await {
            Ok(first) => assert!(refused && first.unwrap_err().kind() == ErrorKind::ConnectionRefused),
            Err(_) => assert!(!refused, "the kernel answers nothing"),
        }
        proxy.shutdown().await;
    }
}

async fn t11_how_a_link_is_down_can_be_chosen(net: Net) {
    let modes =
        [("reset", "refused"), ("refuse", "refused"), ("accept_hang", "unserved"), ("blackhole", "silence")];
    for (mode, new) in modes {
        let (mut client, mut server) = net.pair().await;
        let id = net.begin(&format!("flap: {{ link: plc, up: 1s, down: 1s, mode: {mode} }}"));
        match mode {
            "reset" => sees_rst(&mut client).await,
            "refuse" => ping(&mut client, &mut server).await,
            _ => assert!(timeout(SILENCE, client.read(&mut [0])).await.is_err()),
        }
        // The door closes in the proxy's own time: until then a connect is accepted, and comes to nothing.
        let come_to = async {
            loop {
                match timeout(SILENCE * 4, net.connect()).await {
                    Err(_) => return "silence",
                    Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return "refused",
                    Ok(_) if new == "unserved" && timeout(SILENCE, net.accept()).await.is_err() => {
                        return "unserved";
                    }
                    Ok(_) => tokio::time::sleep(SILENCE / 50).await,
                }
            }
        };
        assert_eq!(timeout(DEADLINE, come_to).await, Ok(new), "{mode}");
        net.link().heal(id);
        let back = async { while net.connect().await.is_err() {} };
        timeout(DEADLINE, back).await.expect("the link is up again");
        // Whoever was let in meanwhile is not to be taken for the next.
        while timeout(SILENCE, net.accept()).await.is_ok() {}
    }
    net.end().await;
}

#[tokio::test]
async fn t11_a_connect_into_a_silent_port_gets_in_once_it_heals_and_the_drops_are_counted() {
    let net = Net::tcp().await;
    let id = net.begin("blackhole: { link: plc }");
    let link = net.link().clone();
    let patient = async {
        // Until the door is silent connects are accepted and wait inside.
        while let Ok(accepted) = timeout(SILENCE * 4, net.connect()).await {
            drop(accepted);
        }
        let mut connect = Box::pin(net.connect());
        assert!(timeout(SILENCE, &mut connect).await.is_err(), "silence");
        until("the drop is counted", || link.stats().hung > 0).await;
        link.heal(id);
        connect.await.expect("a later SYN gets through")
    };
    let mut client = timeout(DEADLINE, patient).await.unwrap();
    client.write_all(b"!").await.unwrap();
    assert!(link.effects()["blackhole"].spells == 1, "{:?}", link.effects());
    let served = async {
        loop {
            let mut server = net.accept().await;
            if server.read(&mut [0]).await.is_ok_and(|count| count == 1) {
                return;
            }
        }
    };
    timeout(DEADLINE, served).await.expect("and is served");
    net.end().await;
}

#[tokio::test]
async fn the_server_is_not_dialled_for_a_client_that_is_not_served() {
    let net = Net::tcp().await;
    net.begin("accept_hang: { link: plc }");
    let _client = net.connect().await.unwrap();
    until("it is in", || net.link().stats().hung == 1).await;
    let Net::Tcp { server, .. } = &net else { unreachable!("a TCP net") };
    let nobody: Result<_, _> = timeout(SILENCE, TcpListener::accept(server)).await;
    assert!(nobody.is_err());
    net.end().await;
}
