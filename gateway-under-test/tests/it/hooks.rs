//! Whoever embeds a gateway is told of each connection: every start has its exit, once, however it comes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_under_test::config::Config;
use gateway_under_test::hooks::{Connection, Exit, Hooks, Side};
use gateway_under_test::net::Net;
use gateway_under_test::{Embedding, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, ask, config, gauge, station, until, until_online};

/// What was said of each connection, by its number.
#[derive(Default)]
struct Told {
    said: Mutex<Vec<(u64, Side, String)>>,
    /// Panics when a consumer asks.
    panics: bool,
}

impl Told {
    fn note(&self, connection: &Connection<'_>, what: &str) {
        self.said.lock().unwrap().push((connection.number, connection.side, what.to_owned()));
    }

    /// Everything said of the connections on one side, messages left out, connection by connection.
    fn of(&self, side: Side) -> Vec<Vec<String>> {
        let mut said = self.said.lock().unwrap().clone();
        said.retain(|(_, of, what)| *of == side && what != "message");
        said.sort_by_key(|(number, _, _)| *number);
        said.chunk_by(|one, next| one.0 == next.0)
            .map(|of_one| of_one.iter().map(|(_, _, what)| what.clone()).collect())
            .collect()
    }
}

impl Hooks for Told {
    fn on_start(&self, connection: &Connection<'_>) {
        self.note(connection, "start");
    }

    fn on_message(&self, connection: &Connection<'_>) {
        self.note(connection, "message");
        assert!(!(self.panics && connection.side == Side::Http), "on purpose");
    }

    fn on_timeout(&self, connection: &Connection<'_>) {
        self.note(connection, "timeout");
    }

    fn on_exit(&self, connection: &Connection<'_>, exit: Exit) {
        self.note(connection, &format!("{exit:?}"));
    }
}

async fn start(world: &Arc<World>, config: Config, told: &Arc<Told>) -> Gateway {
    let embedding = Embedding { hooks: Arc::clone(told) as Arc<dyn Hooks>, ..Embedding::default() };
    let net = Arc::clone(world) as Arc<dyn Net>;
    Gateway::start_with(config, net, 7, embedding).await.expect("a sound configuration")
}

#[tokio::test(start_paused = true)]
async fn a_session_fails_times_out_or_is_cancelled_and_exits_once() {
    let (world, told) = (World::new(), Arc::<Told>::default());
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")]), &told).await;
    until_online(&gateway).await;
    world.cut();
    until("another session", || gauge(&gateway, "reconnects") == 1).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a timeout", || gauge(&gateway, "request_timeouts") == 1).await;
    plc.update_faults(|faults| faults.silence = false);
    until_online(&gateway).await;
    gateway.shutdown().await.expect("an ordered end");
    let expected: [&[&str]; 3] =
        [&["start", "Failed"], &["start", "timeout", "Failed"], &["start", "Cancelled"]];
    assert_eq!(told.of(Side::Station), expected);
    let said = told.said.lock().unwrap();
    assert!(
        said.iter().any(|(number, side, what)| (*number, *side, &**what) == (0, Side::Station, "message"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_consumer_returns_fails_times_out_or_is_cancelled_and_exits_once() {
    let (world, told) = (World::new(), Arc::<Told>::default());
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.http.write_timeout = Duration::from_secs(3600);
    let gateway = start(&world, config, &told).await;
    until_online(&gateway).await;
    drop(world.get("/health").await);
    let mut rubbish = world.browse();
    rubbish.write_all(b"no HTTP at all\r\n\r\n").await.expect("the gateway reads");
    rubbish.read_to_end(&mut Vec::new()).await.expect("an end");
    let mut silent = world.browse();
    silent.write_all(b"GET /heal").await.expect("the gateway reads");
    silent.read_to_end(&mut Vec::new()).await.expect("an end");
    let mut never_reads = world.browse();
    ask(&mut never_reads, "/events", "").await;
    until("a full queue", || gauge(&gateway, "events_dropped") > 0).await;
    gateway.shutdown().await.expect("an ordered end");
    let expected: [&[&str]; 4] = [
        &["start", "Returned"],
        &["start", "Failed"],
        &["start", "timeout", "Failed"],
        &["start", "Cancelled"],
    ];
    let said = told.of(Side::Http);
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_consumer_is_served_ends_its_connection_alone() {
    let (world, told) = (World::new(), Arc::new(Told { panics: true, ..Told::default() }));
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")]), &told).await;
    let mut browser = world.browse();
    ask(&mut browser, "/health", "").await;
    browser.read_to_end(&mut Vec::new()).await.expect("an end");
    assert_eq!(told.of(Side::Http), [["start", "Panicked"]]);
    assert_eq!(gauge(&gateway, "http_connections"), 0);
    until_online(&gateway).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_times_out() {
    let (world, told) = (World::new(), Arc::<Told>::default());
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")]), &told).await;
    let mut never_reads = world.browse();
    ask(&mut never_reads, "/events", "").await;
    until("its end", || gauge(&gateway, "http_errors") == 1).await;
    assert_eq!(told.of(Side::Http), [["start", "timeout", "Failed"]]);
}
