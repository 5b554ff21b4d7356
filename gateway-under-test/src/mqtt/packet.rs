//! Packets in either version: made from what the gateway wants to say, read into what it wants to know. Pure.

use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::connection::{PacketData, RawPacket};
use mqtt_protocol_core::mqtt::packet::{
    CorrelationData, MaximumPacketSize, Properties, Property, Qos, ReceiveMaximum, RetainHandling,
    SessionExpiryInterval, SubEntry, SubOpts, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{self, ConnectReasonCode, ConnectReturnCode};

use super::MqttError;
use crate::config::MqttConfig;
use crate::config::MqttVersion::{self, V3, V5};

/// The longest packet that is taken. Only commands, which are values, and acknowledgements are expected.
pub const RECEIVED_BYTES_MAX: u32 = 64 * 1024;

/// What came from the broker.
#[derive(Debug)]
pub enum Incoming {
    /// CONNACK: what the broker grants, or why it refuses.
    Connack(Result<Granted, String>),
    /// PUBLISH.
    Published(Box<Published>),
    /// PUBACK, with the broker's reason if it did not take the message.
    Acknowledged(u16, Option<String>),
    /// SUBACK, with the broker's reason if it refuses.
    Subscribed(u16, Option<String>),
    /// PINGRESP.
    Pong,
    /// DISCONNECT, with its reason.
    Disconnected(String),
}

impl Incoming {
    /// What it is called in the standard.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connack(_) => "CONNACK",
            Self::Published(_) => "PUBLISH",
            Self::Acknowledged(..) => "PUBACK",
            Self::Subscribed(..) => "SUBACK",
            Self::Pong => "PINGRESP",
            Self::Disconnected(_) => "DISCONNECT",
        }
    }
}

/// What the broker grants a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Unacknowledged messages that it takes.
    pub receive_maximum: u16,
    /// The longest packet that it takes.
    pub packet_bytes_max: usize,
    /// The keep-alive that it wants instead of the one it was told.
    pub keep_alive: Option<Duration>,
    /// The best quality of service that it has.
    pub qos: u8,
    /// Whether it keeps messages for later subscribers.
    pub retain: bool,
}

/// What a broker grants that says nothing else.
const EVERYTHING: Granted = Granted {
    receive_maximum: u16::MAX,
    packet_bytes_max: u32::MAX as usize,
    keep_alive: None,
    qos: 1,
    retain: true,
};

/// A message from the broker.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it was published.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// What the broker wants acknowledged; `None` at quality of service 0.
    pub id: Option<u16>,
    /// Whether it may have come before.
    pub again: bool,
    /// Whether the broker had kept it from before the subscription.
    pub retained: bool,
    /// Where its sender wants the answer (only in version 5).
    pub response_topic: Option<String>,
    /// What its sender wants to see in the answer (only in version 5).
    pub correlation: Option<Vec<u8>>,
}

type Made = Result<Vec<u8>, result_code::MqttError>;

/// CONNECT.
pub fn connect(config: &MqttConfig, password: Option<&str>) -> Made {
    let keep_alive = u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX);
    match config.version {
        V3 => {
            let mut packet = v3_1_1::Connect::builder()
                .client_id(config.client_id.as_str())?
                .clean_session(config.clean_start)
                .keep_alive(keep_alive);
            if let Some(username) = &config.username {
                packet = packet.user_name(username.as_str())?;
            }
            if let Some(password) = password {
                packet = packet.password(password.as_bytes().to_vec())?;
            }
            Ok(packet.build()?.to_continuous_buffer())
        }
        V5 => {
            let mut packet = v5_0::Connect::builder()
                .client_id(config.client_id.as_str())?
                .clean_start(config.clean_start)
                .keep_alive(keep_alive)
                .props(wishes(config)?);
            if let Some(username) = &config.username {
                packet = packet.user_name(username.as_str())?;
            }
            if let Some(password) = password {
                packet = packet.password(password.as_bytes().to_vec())?;
            }
            Ok(packet.build()?.to_continuous_buffer())
        }
    }
}

/// What a broker of version 5 is told with CONNECT.
fn wishes(config: &MqttConfig) -> Result<Properties, result_code::MqttError> {
    let commands = u16::try_from(config.commands_in_flight).unwrap_or(u16::MAX);
    let mut wishes: Properties =
        vec![ReceiveMaximum::new(commands)?.into(), MaximumPacketSize::new(RECEIVED_BYTES_MAX)?.into()];
    if let Some(expiry) = config.session_expiry {
        // An expiry of less than a second is one of a second: 0 would mean at once.
        let seconds = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX).max(1);
        wishes.push(SessionExpiryInterval::new(seconds)?.into());
    }
    Ok(wishes)
}

/// SUBSCRIBE to one filter at quality of service 1. What the broker has kept is not wanted.
pub fn subscribe(version: MqttVersion, id: u16, filter: &str) -> Made {
    let options = SubOpts::new().set_qos(Qos::AtLeastOnce);
    Ok(match version {
        V3 => {
            let entries = vec![SubEntry::new(filter, options)?];
            v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build()?.to_continuous_buffer()
        }
        V5 => {
            let options = options.set_rh(RetainHandling::DoNotSendRetained);
            let entries = vec![SubEntry::new(filter, options)?];
            v5_0::Subscribe::builder().packet_id(id).entries(entries).build()?.to_continuous_buffer()
        }
    })
}

/// A message to be published.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Where.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// Its identifier, which makes it one of quality of service 1.
    pub id: Option<u16>,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// What came with the message that this one answers.
    pub correlation: Option<&'a [u8]>,
}

/// PUBLISH.
pub fn publish(version: MqttVersion, message: Outgoing<'_>) -> Made {
    let Outgoing { topic, payload, id, retain, correlation } = message;
    let qos = if id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    Ok(match version {
        V3 => {
            let packet = v3_1_1::Publish::builder().topic_name(topic)?.qos(qos).retain(retain);
            let packet = id.into_iter().fold(packet, |packet, id| packet.packet_id(id));
            packet.payload(payload).build()?.to_continuous_buffer()
        }
        V5 => {
            let mut properties = Properties::new();
            if let Some(correlation) = correlation {
                properties.push(CorrelationData::new(correlation.to_vec())?.into());
            }
            let packet = v5_0::Publish::builder().topic_name(topic)?.qos(qos).retain(retain);
            let packet = id.into_iter().fold(packet, |packet, id| packet.packet_id(id));
            packet.props(properties).payload(payload).build()?.to_continuous_buffer()
        }
    })
}

/// PUBACK.
pub fn acknowledge(version: MqttVersion, id: u16) -> Made {
    Ok(match version {
        V3 => v3_1_1::Puback::builder().packet_id(id).build()?.to_continuous_buffer(),
        V5 => v5_0::Puback::builder().packet_id(id).build()?.to_continuous_buffer(),
    })
}

/// PINGREQ, the same in every version.
pub const PING: [u8; 2] = [0xC0, 0];

/// DISCONNECT without a reason: all is well. The same in every version.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Reads a packet that came from the broker.
pub fn read(version: MqttVersion, raw: &RawPacket) -> Result<Incoming, MqttError> {
    const CONNACK: u8 = 2;
    const PUBLISH: u8 = 3;
    const PUBACK: u8 = 4;
    const SUBACK: u8 = 9;
    const PINGRESP: u8 = 13;
    const DISCONNECT: u8 = 14;
    let kind = raw.packet_type();
    if kind != PUBLISH && raw.flags() != 0 {
        return Err(MqttError::Malformed(result_code::MqttError::MalformedPacket));
    }
    let read = match (kind, version) {
        (CONNACK, V3) => raw.parse_exact(v3_1_1::Connack::parse).map(|packet| connack_3(&packet)),
        (CONNACK, V5) => raw.parse_exact(v5_0::Connack::parse).map(|packet| connack_5(&packet)),
        (PUBLISH, _) => published(version, raw),
        (PUBACK, V3) => raw
            .parse_exact(v3_1_1::Puback::parse)
            .map(|packet| Incoming::Acknowledged(packet.packet_id(), None)),
        (PUBACK, V5) => raw.parse_exact(v5_0::Puback::parse).map(|packet| {
            let refused = packet.reason_code().filter(result_code::PubackReasonCode::is_failure);
            Incoming::Acknowledged(packet.packet_id(), refused.map(|code| code.to_string()))
        }),
        (SUBACK, V3) => raw.parse_exact(v3_1_1::Suback::parse).map(|packet| {
            let refused =
                packet.return_codes().iter().find(|code| !code.is_success()).map(ToString::to_string);
            Incoming::Subscribed(packet.packet_id(), refused)
        }),
        (SUBACK, V5) => raw.parse_exact(v5_0::Suback::parse).map(|packet| {
            let refused =
                packet.reason_codes().iter().find(|code| !code.is_success()).map(ToString::to_string);
            Incoming::Subscribed(packet.packet_id(), refused)
        }),
        (PINGRESP, _) if raw.remaining_length() == 0 => Ok(Incoming::Pong),
        (DISCONNECT, V5) => raw.parse_exact(v5_0::Disconnect::parse).map(|packet| {
            let reason = packet.reason_code().map(|code| code.to_string());
            Incoming::Disconnected(reason.unwrap_or_else(|| "no reason given".to_owned()))
        }),
        _ => Err(result_code::MqttError::MalformedPacket),
    };
    read.map_err(MqttError::Malformed)
}

fn connack_3(packet: &v3_1_1::Connack) -> Incoming {
    Incoming::Connack(match packet.return_code() {
        ConnectReturnCode::Accepted => Ok(EVERYTHING),
        refused => Err(refused.to_string()),
    })
}

fn connack_5(packet: &v5_0::Connack) -> Incoming {
    if packet.reason_code() != ConnectReasonCode::Success {
        return Incoming::Connack(Err(packet.reason_code().to_string()));
    }
    let mut granted = EVERYTHING;
    for property in packet.props() {
        match property {
            Property::ReceiveMaximum(most) => granted.receive_maximum = most.val(),
            Property::MaximumPacketSize(most) => granted.packet_bytes_max = most.val() as usize,
            Property::ServerKeepAlive(seconds) if seconds.val() > 0 => {
                granted.keep_alive = Some(Duration::from_secs(seconds.val().into()));
            }
            Property::MaximumQos(best) => granted.qos = best.val().min(EVERYTHING.qos),
            Property::RetainAvailable(retain) => granted.retain = retain.val() != 0,
            _ => {}
        }
    }
    Incoming::Connack(Ok(granted))
}

fn published(version: MqttVersion, raw: &RawPacket) -> Result<Incoming, result_code::MqttError> {
    let PacketData::Publish(bytes) = &raw.data else {
        return Err(result_code::MqttError::MalformedPacket);
    };
    let published = match version {
        V3 => {
            let (packet, _) = v3_1_1::Publish::parse(raw.flags(), Arc::clone(bytes))?;
            at_most_1(packet.qos())?;
            Published {
                topic: packet.topic_name().to_owned(),
                payload: packet.payload().as_slice().to_vec(),
                id: packet.packet_id(),
                again: packet.dup(),
                retained: packet.retain(),
                response_topic: None,
                correlation: None,
            }
        }
        V5 => {
            let (packet, _) = v5_0::Publish::parse(raw.flags(), Arc::clone(bytes))?;
            at_most_1(packet.qos())?;
            let find = |wanted: fn(&Property) -> Option<&[u8]>| packet.props().iter().find_map(wanted);
            Published {
                topic: packet.topic_name().to_owned(),
                payload: packet.payload().as_slice().to_vec(),
                id: packet.packet_id(),
                again: packet.dup(),
                retained: packet.retain(),
                response_topic: find(response_topic).map(|topic| String::from_utf8_lossy(topic).into_owned()),
                correlation: find(correlation).map(<[u8]>::to_vec),
            }
        }
    };
    Ok(Incoming::Published(Box::new(published)))
}

fn response_topic(property: &Property) -> Option<&[u8]> {
    match property {
        Property::ResponseTopic(topic) => Some(topic.val().as_bytes()),
        _ => None,
    }
}

fn correlation(property: &Property) -> Option<&[u8]> {
    match property {
        Property::CorrelationData(data) => Some(data.val()),
        _ => None,
    }
}

/// The gateway subscribes at 1: nothing better may come.
fn at_most_1(qos: Qos) -> Result<(), result_code::MqttError> {
    match qos {
        Qos::AtMostOnce | Qos::AtLeastOnce => Ok(()),
        Qos::ExactlyOnce => Err(result_code::MqttError::QosNotSupported),
    }
}

#[cfg(test)]
mod tests {
    use mqtt_protocol_core::mqtt::common::Cursor;
    use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read_all(version: MqttVersion, bytes: &[u8]) -> Vec<Result<Incoming, MqttError>> {
        let (mut builder, mut cursor) =
            (PacketBuilder::with_maximum_packet_size(RECEIVED_BYTES_MAX), Cursor::new(bytes));
        let mut found = Vec::new();
        while (cursor.position() as usize) < bytes.len() {
            match builder.feed(&mut cursor) {
                PacketBuildResult::Complete(raw) => found.push(read(version, &raw)),
                PacketBuildResult::Incomplete => {}
                PacketBuildResult::Error(error) => found.push(Err(MqttError::Malformed(error))),
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn whatever_comes_is_a_packet_or_an_error(head in 0_u8.., body in vec(any::<u8>(), 0..120)) {
            let packet = [&[head, body.len() as u8][..], &body].concat();
            for version in [V3, V5] {
                prop_assert_eq!(read_all(version, &packet).len(), 1);
            }
        }

        #[test]
        fn properties_that_come_are_read_or_are_an_error(code in 0_u8..2, properties in vec(any::<u8>(), 0..60)) {
            for (head, start) in [(0x20_u8, vec![0, code]), (0x32, vec![0, 1, b'a', 0, 7]), (0x40, vec![0, 7, code])] {
                let body = [&start[..], &[properties.len() as u8], &properties].concat();
                read_all(V5, &[&[head, body.len() as u8][..], &body].concat());
            }
        }
    }

    #[test]
    fn what_a_broker_of_version_5_grants_is_taken() {
        // Receive maximum 5, maximum QoS 0, no retain, 1000 bytes, keep-alive 9 s.
        let properties =
            [&[0x21, 0, 5][..], &[0x24, 0], &[0x25, 0], &[0x27, 0, 0, 3, 232], &[0x13, 0, 9]].concat();
        let body = [&[0, 0, properties.len() as u8][..], &properties].concat();
        let found = read_all(V5, &[&[0x20, body.len() as u8][..], &body].concat());
        let granted = Granted {
            receive_maximum: 5,
            packet_bytes_max: 1000,
            keep_alive: Some(Duration::from_secs(9)),
            qos: 0,
            retain: false,
        };
        assert!(matches!(&found[..], [Ok(Incoming::Connack(Ok(found)))] if *found == granted), "{found:?}");
    }
}
