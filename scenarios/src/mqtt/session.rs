//! One client's connection to the simulated broker, from CONNECT to the end of the stream.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::connection::role::Server;
use mqtt_protocol_core::mqtt::packet::Qos;
use mqtt_protocol_core::mqtt::result_code::MqttError;
use tokio::time::timeout;
use watertight::world::BoxStream;

use super::broker::{Broker, Seat};
use super::line::{End, Line};
use super::message::Message;
use super::packet::{self, Hello, Received};

/// How long a client may take to send its CONNECT.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Serves one client until either side ends it; its session ends with this future.
pub async fn serve(broker: Broker, stream: BoxStream) {
    let mut line = Line::new(stream, Version::Undetermined);
    let end = match timeout(CONNECT_WITHIN, connect(&mut line)).await {
        Ok(Ok(hello)) => session(&broker, line, hello).await,
        Ok(Err(end)) => end,
        Err(_) => End::Closed,
    };
    if matches!(end, End::Protocol(_)) {
        broker.counts().broken.fetch_add(1, Relaxed);
    }
}

async fn connect(line: &mut Line<Server>) -> Result<Hello, End> {
    loop {
        if let Received::Connect(hello) = line.next().await? {
            return Ok(hello);
        }
    }
}

async fn session(broker: &Broker, mut line: Line<Server>, hello: Hello) -> End {
    let Some(mut seat) = broker.enter(&hello.client) else {
        return refuse(&mut line).await.err().unwrap_or(End::Closed);
    };
    let replaced = seat.end.clone();
    let played = replaced.run_until_cancelled(play(broker, &mut line, &mut seat)).await;
    let (end, publish_will) = match played {
        Some(Ok(Farewell { publish_will })) => (End::Closed, publish_will),
        Some(Err(end)) => (end, true),
        None => (End::Closed, true),
    };
    // Before its will is told, the client is gone: it cannot be among those who hear of it.
    drop(seat);
    if let Some(will) = hello.will.filter(|_| publish_will) {
        broker.publish(&will);
    }
    end
}

async fn refuse(line: &mut Line<Server>) -> Result<(), End> {
    line.send(packet::connack(line.version(), false)?);
    line.flush().await
}

/// How a client took its leave.
struct Farewell {
    publish_will: bool,
}

async fn play(broker: &Broker, line: &mut Line<Server>, seat: &mut Seat) -> Result<Farewell, End> {
    line.send(packet::connack(line.version(), true)?);
    loop {
        tokio::select! {
            biased;
            received = line.next() => match received? {
                Received::Publish(message) => took(broker, &message)?,
                Received::Subscribe(id, filters) => subscribe(line, seat, id, &filters)?,
                Received::Unsubscribe(id, filters) => unsubscribe(line, seat, id, &filters)?,
                Received::Disconnect { publish_will } => return Ok(Farewell { publish_will }),
                _ => {}
            },
            Some(message) = seat.inbox.recv(), if line.has_room() => line.publish(&message)?,
        }
    }
}

fn took(broker: &Broker, message: &Message) -> Result<(), End> {
    broker.counts().published.fetch_add(1, Relaxed);
    if broker.publish(message) { Ok(()) } else { Err(End::Protocol(MqttError::TopicNameInvalid)) }
}

fn subscribe(line: &mut Line<Server>, seat: &Seat, id: u16, filters: &[(String, Qos)]) -> Result<(), End> {
    let granted: Vec<_> = filters.iter().map(|(filter, qos)| seat.subscribe(filter, *qos)).collect();
    line.send(packet::suback(line.version(), id, &granted)?);
    Ok(())
}

fn unsubscribe(line: &mut Line<Server>, seat: &Seat, id: u16, filters: &[String]) -> Result<(), End> {
    let existed: Vec<_> = filters.iter().map(|filter| seat.unsubscribe(filter)).collect();
    line.send(packet::unsuback(line.version(), id, &existed)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mqtt_protocol_core::mqtt::connection::role::Client;
    use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, v3_1_1};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::super::line::IN_FLIGHT_MAX;
    use super::*;

    /// A broker's end of a new connection is served; the other end is given back.
    fn dial(broker: &Broker) -> DuplexStream {
        let (outside, inside) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(broker.clone(), Box::new(inside)));
        outside
    }

    async fn client(broker: &Broker, version: Version, name: &str, keep_alive: u16) -> Line<Client> {
        let mut line = Line::new(Box::new(dial(broker)), version);
        line.send(packet::connect(version, name, keep_alive).unwrap());
        assert_eq!(line.next().await.unwrap(), Received::Connack(true));
        line
    }

    async fn subscriber(broker: &Broker, version: Version, filter: &str) -> Line<Client> {
        let mut line = client(broker, version, "subscriber", 0).await;
        line.subscribe(filter, Qos::AtLeastOnce).unwrap();
        assert_eq!(line.next().await.unwrap(), Received::Suback(vec![true]));
        line
    }

    fn message(text: &str) -> Message {
        Message::new("s7/plc-0", text.as_bytes(), Qos::AtLeastOnce)
    }

    /// Waits until the broker's own tasks have run: on the paused clock time passes only once all of them wait.
    async fn let_all_run() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_goes_from_either_version_to_either_version_and_is_acknowledged() {
        for from in [Version::V3_1_1, Version::V5_0] {
            for to in [Version::V3_1_1, Version::V5_0] {
                let broker = Broker::default();
                let mut subscriber = subscriber(&broker, to, "s7/#").await;
                let mut publisher = client(&broker, from, "gateway", 30).await;
                publisher.publish(&message("1")).unwrap();
                assert!(matches!(publisher.next().await.unwrap(), Received::Puback(_)));
                assert_eq!(subscriber.next().await.unwrap(), Received::Publish(message("1")));
                assert_eq!(broker.counts().published.load(Relaxed), 1);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_sent_again_is_acknowledged_again_and_delivered_again() {
        let broker = Broker::default();
        let mut subscriber = subscriber(&broker, Version::V3_1_1, "s7/#").await;
        let mut stream = dial(&broker);
        let hello = packet::connect(Version::V3_1_1, "gateway", 0).unwrap();
        let publish = |dup| {
            let packet = v3_1_1::Publish::builder().topic_name("s7/plc-0").unwrap().qos(Qos::AtLeastOnce);
            packet.packet_id(7).dup(dup).payload("1").build().unwrap()
        };
        let sent = [
            hello.to_continuous_buffer(),
            publish(false).to_continuous_buffer(),
            publish(true).to_continuous_buffer(),
        ];
        stream.write_all(&sent.concat()).await.unwrap();
        // CONNACK, and PUBACK of packet 7 twice.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x20, 2, 0, 0, 0x40, 2, 0, 7, 0x40, 2, 0, 7]);
        for _ in 0..2 {
            assert_eq!(subscriber.next().await.unwrap(), Received::Publish(message("1")));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_let_go_after_one_and_a_half_keep_alives() {
        for version in [Version::V3_1_1, Version::V5_0] {
            let broker = Broker::default();
            let mut stream = dial(&broker);
            let began = Instant::now();
            let hello = packet::connect(version, "gateway", 10).unwrap().to_continuous_buffer();
            stream.write_all(&hello).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            assert_eq!((began.elapsed(), broker.sessions()), (Duration::from_secs(15), 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_pings_stays() {
        let broker = Broker::default();
        let mut line = client(&broker, Version::V3_1_1, "gateway", 10).await;
        let hour =
            tokio::time::timeout(Duration::from_secs(3600), async { while line.next().await.is_ok() {} });
        assert!(hour.await.is_err(), "the connection ended");
        assert_eq!(broker.sessions(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_ends_its_connection_and_no_other() {
        let broker = Broker::default();
        let mut other = subscriber(&broker, Version::V3_1_1, "s7/#").await;
        let too_large = [0x30, 0xff, 0xff, 0xff, 0x7f];
        let no_topic = [super::super::HELLO, &[0x30, 5, 0, 3, b's', b'/', b'#']].concat();
        let connected_twice = [super::super::HELLO, super::super::HELLO].concat();
        // Read as MQTT, its first two letters announce 69 bytes more.
        let http = "GET / HTTP/1.1\r\n".repeat(8);
        let garbage: [&[u8]; 6] =
            [http.as_bytes(), &[0xff; 64], &[0; 64], &too_large, &no_topic, &connected_twice];
        for bytes in garbage {
            let mut stream = dial(&broker);
            stream.write_all(bytes).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
        assert_eq!((broker.counts().broken.load(Relaxed), broker.sessions()), (garbage.len() as u64, 1));
        broker.publish(&message("1"));
        assert_eq!(other.next().await.unwrap(), Received::Publish(message("1")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_says_who_it_is_is_let_go() {
        let broker = Broker::default();
        let mut stream = dial(&broker);
        let began = Instant::now();
        stream.write_all(&super::super::HELLO[..9]).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(began.elapsed(), CONNECT_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_acknowledges_nothing_is_sent_no_more_than_the_window() {
        let broker = Broker::default();
        let mut stream = dial(&broker);
        let subscribe = packet::subscribe(Version::V3_1_1, 1, "s7/#", Qos::AtLeastOnce).unwrap();
        stream.write_all(&[super::super::HELLO, &subscribe.to_continuous_buffer()].concat()).await.unwrap();
        let_all_run().await;
        let sent = 3 * usize::from(IN_FLIGHT_MAX);
        (0..sent).for_each(|_| assert!(broker.publish(&message("1"))));
        let_all_run().await;
        let of_one = packet::publish(Version::V3_1_1, &message("1"), Some(1)).unwrap().size();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert_eq!(read, 4 + 5 + usize::from(IN_FLIGHT_MAX) * of_one);
    }

    #[tokio::test(start_paused = true)]
    async fn a_will_is_told_unless_the_client_took_its_leave() {
        let broker = Broker::default();
        let mut subscriber = subscriber(&broker, Version::V3_1_1, "s7/#").await;
        let hello: Packet = v3_1_1::Connect::builder()
            .client_id("gateway")
            .unwrap()
            .clean_session(true)
            .will_message("s7/plc-0", b"gone", Qos::AtLeastOnce, false)
            .unwrap()
            .build()
            .unwrap()
            .into();
        for bye in [&[0xe0, 0][..], &[]] {
            let mut stream = dial(&broker);
            stream.write_all(&[&hello.to_continuous_buffer(), bye].concat()).await.unwrap();
            let_all_run().await;
        }
        assert_eq!(subscriber.next().await.unwrap(), Received::Publish(message("gone")));
        let more = tokio::time::timeout(Duration::from_secs(1), subscriber.next()).await;
        assert!(more.is_err(), "the will of a client that said goodbye was told");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_no_longer_asks_for_it_does_not_get() {
        for version in [Version::V3_1_1, Version::V5_0] {
            let broker = Broker::default();
            let seat = broker.enter("a").unwrap();
            assert_eq!(seat.subscribe("s7/#", Qos::AtLeastOnce), Some(Qos::AtLeastOnce));
            assert!(seat.unsubscribe("s7/#") && !seat.unsubscribe("s7/#"));
            assert!(packet::unsuback(version, 1, &[true, false]).is_ok());
            broker.publish(&message("1"));
            assert_eq!(seat.inbox.len(), 0);
        }
    }
}
