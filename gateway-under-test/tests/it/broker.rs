//! A small MQTT broker for one client at a time, made with the server's side of the protocol's machine. It can misbehave.

use std::sync::{Arc, Mutex, MutexGuard};

use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::role::Server;
use mqtt_protocol_core::mqtt::connection::{Connection, Event};
use mqtt_protocol_core::mqtt::packet::{
    CorrelationData, Packet, Properties, Qos, ReceiveMaximum, ResponseTopic, SubEntry, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, SubackReasonCode, SubackReturnCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;

/// A message that reached the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub retain: bool,
    pub correlation: Option<Vec<u8>>,
}

/// What the broker is to send.
pub enum Send {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// A message.
    Publish { topic: String, payload: String, id: Option<u16>, again: bool, answer_to: Option<String> },
    /// The end of the stream, after these bytes.
    Close(Vec<u8>),
}

/// How the broker behaves, and what it has seen.
#[derive(Default)]
pub struct State {
    /// Says no CONNACK.
    pub mute: bool,
    /// Refuses the client.
    pub refuses: bool,
    /// Says no PUBACK: what it should acknowledge is kept here.
    pub keeps_acks: bool,
    pub unacked: Vec<u16>,
    /// Answers no ping.
    pub no_pong: bool,
    /// What it grants a client of version 5.
    pub receive_maximum: Option<u16>,
    /// Keeps no note of messages.
    pub forgets: bool,
    pub connects: usize,
    /// Connections that ended with DISCONNECT.
    pub goodbyes: usize,
    pub filters: Vec<String>,
    pub seen: Vec<Seen>,
    pub published: usize,
    pub acks: Vec<u16>,
    pub pings: usize,
    pub user: Option<(String, String)>,
    to_send: Vec<Send>,
}

/// A broker. Clones are the same one.
#[derive(Clone, Default)]
pub struct Broker(Arc<(Mutex<State>, Notify)>);

impl Broker {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    pub fn send(&self, what: Send) {
        self.state().to_send.push(what);
        self.0.1.notify_one();
    }

    pub fn publish(&self, topic: &str, payload: &str, id: Option<u16>, again: bool) {
        let (topic, payload) = (topic.to_owned(), payload.to_owned());
        self.send(Send::Publish { topic, payload, id, again, answer_to: None });
    }

    /// How often a client connected, and how often it said goodbye.
    pub fn visits(&self) -> (usize, usize) {
        let state = self.state();
        (state.connects, state.goodbyes)
    }

    /// What was published at `topic`.
    pub fn at(&self, topic: &str) -> Vec<String> {
        let state = self.state();
        let here = state.seen.iter().filter(|seen| seen.topic == topic);
        here.map(|seen| seen.payload.clone()).collect()
    }

    /// Serves one connection until either side ends it.
    pub async fn serve(self, mut stream: DuplexStream) {
        let mut connection = Connection::<Server>::new(Version::Undetermined);
        let mut chunk = [0; 512];
        loop {
            tokio::select! {
                biased;
                read = stream.read(&mut chunk) => match read {
                    Ok(read) if read > 0 => {
                        let out = self.take(&mut connection, &chunk[..read]);
                        if stream.write_all(&out).await.is_err() { return }
                    }
                    _ => return,
                },
                () = self.0.1.notified() => {
                    let (out, close) = self.made(&mut connection);
                    if stream.write_all(&out).await.is_err() || close { return }
                }
            }
        }
    }

    fn take(&self, connection: &mut Connection<Server>, bytes: &[u8]) -> Vec<u8> {
        let (mut cursor, mut out) = (Cursor::new(bytes), Vec::new());
        while (cursor.position() as usize) < bytes.len() {
            for event in connection.recv(&mut cursor) {
                match event {
                    Event::NotifyPacketReceived(packet) => {
                        for answer in self.answers(&packet) {
                            carry_out(connection.send(answer), &mut out);
                        }
                    }
                    Event::NotifyError(error) => panic!("the gateway broke the protocol: {error:?}"),
                    _ => {}
                }
            }
        }
        out
    }

    fn answers(&self, packet: &Packet) -> Vec<Packet> {
        let state = &mut *self.state();
        match packet {
            Packet::V3_1_1Connect(connect) => {
                state.connects += 1;
                state.user = user(connect.user_name(), connect.password());
                let code = match state.refuses {
                    true => ConnectReturnCode::NotAuthorized,
                    false => ConnectReturnCode::Accepted,
                };
                let connack = v3_1_1::Connack::builder().session_present(false).return_code(code);
                if state.mute { Vec::new() } else { vec![connack.build().unwrap().into()] }
            }
            Packet::V5_0Connect(connect) => {
                state.connects += 1;
                state.user = user(connect.user_name(), connect.password());
                let mut granted = Properties::new();
                granted.extend(state.receive_maximum.map(|most| ReceiveMaximum::new(most).unwrap().into()));
                let code = match state.refuses {
                    true => ConnectReasonCode::NotAuthorized,
                    false => ConnectReasonCode::Success,
                };
                let connack =
                    v5_0::Connack::builder().session_present(false).reason_code(code).props(granted);
                if state.mute { Vec::new() } else { vec![connack.build().unwrap().into()] }
            }
            Packet::V3_1_1Publish(publish) => {
                state.see(
                    publish.topic_name(),
                    publish.payload().as_slice(),
                    publish.qos(),
                    publish.retain(),
                );
                let puback = |id| v3_1_1::Puback::builder().packet_id(id).build().unwrap().into();
                state.acknowledged(publish.packet_id()).map(puback).into_iter().collect()
            }
            Packet::V5_0Publish(publish) => {
                state.see(
                    publish.topic_name(),
                    publish.payload().as_slice(),
                    publish.qos(),
                    publish.retain(),
                );
                if let Some(last) = state.seen.last_mut() {
                    last.correlation = publish.props().iter().find_map(|property| match property {
                        mqtt_protocol_core::mqtt::packet::Property::CorrelationData(data) => {
                            Some(data.val().to_vec())
                        }
                        _ => None,
                    });
                }
                let puback = |id| v5_0::Puback::builder().packet_id(id).build().unwrap().into();
                state.acknowledged(publish.packet_id()).map(puback).into_iter().collect()
            }
            Packet::V3_1_1Subscribe(subscribe) => {
                state.filters.extend(subscribe.entries().iter().map(filter));
                let codes = vec![SubackReturnCode::SuccessMaximumQos1];
                let suback = v3_1_1::Suback::builder().packet_id(subscribe.packet_id()).return_codes(codes);
                vec![suback.build().unwrap().into()]
            }
            Packet::V5_0Subscribe(subscribe) => {
                state.filters.extend(subscribe.entries().iter().map(filter));
                let codes = vec![SubackReasonCode::GrantedQos1];
                let suback = v5_0::Suback::builder().packet_id(subscribe.packet_id()).reason_codes(codes);
                vec![suback.build().unwrap().into()]
            }
            Packet::V3_1_1Pingreq(_) => {
                state.pings += 1;
                let pong = v3_1_1::Pingresp::builder().build().unwrap().into();
                if state.no_pong { Vec::new() } else { vec![pong] }
            }
            Packet::V5_0Pingreq(_) => {
                state.pings += 1;
                let pong = v5_0::Pingresp::builder().build().unwrap().into();
                if state.no_pong { Vec::new() } else { vec![pong] }
            }
            Packet::V3_1_1Puback(puback) => state.note_ack(puback.packet_id()),
            Packet::V5_0Puback(puback) => state.note_ack(puback.packet_id()),
            Packet::V3_1_1Disconnect(_) | Packet::V5_0Disconnect(_) => {
                state.goodbyes += 1;
                Vec::new()
            }
            other => panic!("a client does not send {other}"),
        }
    }

    /// The bytes of what is to be sent, and whether the stream ends after them.
    fn made(&self, connection: &mut Connection<Server>) -> (Vec<u8>, bool) {
        let to_send = std::mem::take(&mut self.state().to_send);
        let mut out = Vec::new();
        for one in to_send {
            match one {
                Send::Raw(bytes) => out.extend(bytes),
                Send::Close(bytes) => {
                    out.extend(bytes);
                    return (out, true);
                }
                Send::Publish { topic, payload, id, again, answer_to } => {
                    if let Some(id) = id {
                        // A repeated one is known already.
                        let _ = connection.register_packet_id(id);
                    }
                    let version = connection.get_protocol_version();
                    let packet = publish(version, &topic, &payload, id, again, answer_to);
                    carry_out(connection.send(packet), &mut out);
                }
            }
        }
        (out, false)
    }
}

fn carry_out(events: Vec<Event>, out: &mut Vec<u8>) {
    for event in events {
        match event {
            Event::RequestSendPacket { packet, .. } => out.extend(packet_bytes(&packet)),
            Event::NotifyError(error) => panic!("the test's broker may not send that: {error:?}"),
            _ => {}
        }
    }
}

fn packet_bytes(packet: &Packet) -> Vec<u8> {
    use mqtt_protocol_core::mqtt::packet::GenericPacketTrait as _;
    packet.to_continuous_buffer()
}

fn publish(
    version: Version,
    topic: &str,
    payload: &str,
    id: Option<u16>,
    again: bool,
    answer_to: Option<String>,
) -> Packet {
    let qos = if id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    if version == Version::V5_0 {
        let mut properties = Properties::new();
        if let Some(topic) = answer_to {
            properties.push(ResponseTopic::new(topic).unwrap().into());
            properties.push(CorrelationData::new(b"order 66".to_vec()).unwrap().into());
        }
        let packet = v5_0::Publish::builder().topic_name(topic).unwrap().qos(qos).dup(again);
        let packet = id.into_iter().fold(packet, |packet, id| packet.packet_id(id));
        return packet.props(properties).payload(payload).build().unwrap().into();
    }
    let packet = v3_1_1::Publish::builder().topic_name(topic).unwrap().qos(qos).dup(again);
    let packet = id.into_iter().fold(packet, |packet, id| packet.packet_id(id));
    packet.payload(payload).build().unwrap().into()
}

fn filter(entry: &SubEntry) -> String {
    entry.topic_filter().to_owned()
}

fn user(name: Option<&str>, password: Option<&[u8]>) -> Option<(String, String)> {
    let password = String::from_utf8(password.unwrap_or_default().to_vec()).unwrap();
    Some((name?.to_owned(), password))
}

impl State {
    fn see(&mut self, topic: &str, payload: &[u8], qos: Qos, retain: bool) {
        self.published += 1;
        if self.forgets {
            return;
        }
        let payload = String::from_utf8(payload.to_vec()).unwrap();
        self.seen.push(Seen { topic: topic.to_owned(), payload, qos: qos as u8, retain, correlation: None });
    }

    /// What is to be acknowledged at once.
    fn acknowledged(&mut self, id: Option<u16>) -> Option<u16> {
        if self.keeps_acks {
            self.unacked.extend(id);
            return None;
        }
        id
    }

    fn note_ack(&mut self, id: u16) -> Vec<Packet> {
        if !self.forgets {
            self.acks.push(id);
        }
        Vec::new()
    }
}
