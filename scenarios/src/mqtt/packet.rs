//! Packets of MQTT 3.1.1 and 5 as this world needs them: made for either version, and read into one shape.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::common::ArcPayload;
use mqtt_protocol_core::mqtt::packet::{Packet, Qos, SubEntry, SubOpts, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, MqttError, SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
};

use super::message::Message;

/// What a client asks for when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Its name; empty: the broker gives it one.
    pub client: String,
    /// What the broker publishes if the client goes without a word.
    pub will: Option<Message>,
}

/// A packet that came in, whatever its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// CONNECT.
    Connect(Hello),
    /// CONNACK; whether the broker took the client in.
    Connack(bool),
    /// PUBLISH.
    Publish(Message),
    /// SUBSCRIBE: its packet identifier, filters and the most they ask for.
    Subscribe(u16, Vec<(String, Qos)>),
    /// SUBACK: for each filter whether it was granted.
    Suback(Vec<bool>),
    /// UNSUBSCRIBE: its packet identifier and filters.
    Unsubscribe(u16, Vec<String>),
    /// PUBACK of something that was sent at least once.
    Puback(u16),
    /// DISCONNECT; whether the will is still to be published.
    Disconnect {
        /// Asked for with MQTT 5's reason 0x04.
        publish_will: bool,
    },
    /// Something the protocol's own machine has dealt with.
    Other,
}

impl From<&Packet> for Received {
    fn from(packet: &Packet) -> Self {
        match packet {
            Packet::V3_1_1Connect(connect) => Self::Connect(Hello {
                client: connect.client_id().to_owned(),
                will: will(
                    connect.will_topic(),
                    connect.will_payload(),
                    connect.will_qos(),
                    connect.will_retain(),
                ),
            }),
            Packet::V5_0Connect(connect) => Self::Connect(Hello {
                client: connect.client_id().to_owned(),
                will: will(
                    connect.will_topic(),
                    connect.will_payload(),
                    connect.will_qos(),
                    connect.will_retain(),
                ),
            }),
            Packet::V3_1_1Connack(connack) => {
                Self::Connack(connack.return_code() == ConnectReturnCode::Accepted)
            }
            Packet::V5_0Connack(connack) => {
                Self::Connack(connack.reason_code() == ConnectReasonCode::Success)
            }
            Packet::V3_1_1Publish(publish) => Self::Publish(message(
                publish.topic_name(),
                publish.payload(),
                publish.qos(),
                publish.retain(),
            )),
            Packet::V5_0Publish(publish) => Self::Publish(message(
                publish.topic_name(),
                publish.payload(),
                publish.qos(),
                publish.retain(),
            )),
            Packet::V3_1_1Subscribe(subscribe) => {
                Self::Subscribe(subscribe.packet_id(), filters(subscribe.entries()))
            }
            Packet::V5_0Subscribe(subscribe) => {
                Self::Subscribe(subscribe.packet_id(), filters(subscribe.entries()))
            }
            Packet::V3_1_1Suback(suback) => {
                Self::Suback(suback.return_codes().iter().map(SubackReturnCode::is_success).collect())
            }
            Packet::V5_0Suback(suback) => {
                Self::Suback(suback.reason_codes().iter().map(SubackReasonCode::is_success).collect())
            }
            Packet::V3_1_1Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.entries().iter().map(|filter| filter.as_str().to_owned());
                Self::Unsubscribe(unsubscribe.packet_id(), filters.collect())
            }
            Packet::V5_0Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.entries().iter().map(|filter| filter.as_str().to_owned());
                Self::Unsubscribe(unsubscribe.packet_id(), filters.collect())
            }
            Packet::V3_1_1Puback(puback) => Self::Puback(puback.packet_id()),
            Packet::V5_0Puback(puback) => Self::Puback(puback.packet_id()),
            Packet::V3_1_1Disconnect(_) => Self::Disconnect { publish_will: false },
            Packet::V5_0Disconnect(disconnect) => {
                use mqtt_protocol_core::mqtt::result_code::DisconnectReasonCode::DisconnectWithWillMessage;
                Self::Disconnect { publish_will: disconnect.reason_code() == Some(DisconnectWithWillMessage) }
            }
            _ => Self::Other,
        }
    }
}

fn will(topic: Option<&str>, payload: Option<&[u8]>, qos: Qos, retain: bool) -> Option<Message> {
    Some(Message { retain, ..Message::new(topic?, payload.unwrap_or_default(), qos) })
}

fn message(topic: &str, payload: &ArcPayload, qos: Qos, retain: bool) -> Message {
    Message { retain, ..Message::new(topic, payload.as_slice(), qos) }
}

fn filters(entries: &[SubEntry]) -> Vec<(String, Qos)> {
    entries.iter().map(|entry| (entry.topic_filter().to_owned(), entry.sub_opts().qos())).collect()
}

/// CONNECT of a client that leaves nothing behind when it goes.
pub fn connect(version: Version, client: &str, keep_alive: u16) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V5_0 => v5_0::Connect::builder()
            .client_id(client)?
            .clean_start(true)
            .keep_alive(keep_alive)
            .build()?
            .into(),
        _ => v3_1_1::Connect::builder()
            .client_id(client)?
            .clean_session(true)
            .keep_alive(keep_alive)
            .build()?
            .into(),
    })
}

/// CONNACK: taken in, without a session from before; or refused for want of room.
pub fn connack(version: Version, accepted: bool) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V5_0 => {
            let code =
                if accepted { ConnectReasonCode::Success } else { ConnectReasonCode::ServerUnavailable };
            v5_0::Connack::builder().session_present(false).reason_code(code).build()?.into()
        }
        _ => {
            let code =
                if accepted { ConnectReturnCode::Accepted } else { ConnectReturnCode::ServerUnavailable };
            v3_1_1::Connack::builder().session_present(false).return_code(code).build()?.into()
        }
    })
}

/// PUBLISH; `id` is given exactly for what is sent at least once.
pub fn publish(version: Version, message: &Message, id: Option<u16>) -> Result<Packet, MqttError> {
    let (topic, payload) = (&*message.topic, Arc::clone(&message.payload));
    let qos = if id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    Ok(match version {
        Version::V5_0 => {
            let packet = v5_0::Publish::builder().topic_name(topic)?.qos(qos).retain(message.retain);
            let packet = packet.payload(payload);
            id.into_iter().fold(packet, |packet, id| packet.packet_id(id)).build()?.into()
        }
        _ => {
            let packet = v3_1_1::Publish::builder().topic_name(topic)?.qos(qos).retain(message.retain);
            let packet = packet.payload(payload);
            id.into_iter().fold(packet, |packet, id| packet.packet_id(id)).build()?.into()
        }
    })
}

/// SUBSCRIBE to one filter.
pub fn subscribe(version: Version, id: u16, filter: &str, qos: Qos) -> Result<Packet, MqttError> {
    let entries = vec![SubEntry::new(filter, SubOpts::new().set_qos(qos))?];
    Ok(match version {
        Version::V5_0 => v5_0::Subscribe::builder().packet_id(id).entries(entries).build()?.into(),
        _ => v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build()?.into(),
    })
}

/// SUBACK: for each filter what is granted; `None`: refused.
pub fn suback(version: Version, id: u16, granted: &[Option<Qos>]) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V5_0 => {
            let code = |granted: &Option<Qos>| match granted {
                Some(Qos::AtMostOnce) => SubackReasonCode::GrantedQos0,
                Some(_) => SubackReasonCode::GrantedQos1,
                None => SubackReasonCode::QuotaExceeded,
            };
            let codes = granted.iter().map(code).collect();
            v5_0::Suback::builder().packet_id(id).reason_codes(codes).build()?.into()
        }
        _ => {
            let code = |granted: &Option<Qos>| match granted {
                Some(Qos::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
                Some(_) => SubackReturnCode::SuccessMaximumQos1,
                None => SubackReturnCode::Failure,
            };
            let codes = granted.iter().map(code).collect();
            v3_1_1::Suback::builder().packet_id(id).return_codes(codes).build()?.into()
        }
    })
}

/// UNSUBACK: for each filter whether there was such a subscription.
pub fn unsuback(version: Version, id: u16, existed: &[bool]) -> Result<Packet, MqttError> {
    Ok(match version {
        Version::V5_0 => {
            let code = |existed: &bool| match existed {
                true => UnsubackReasonCode::Success,
                false => UnsubackReasonCode::NoSubscriptionExisted,
            };
            let codes = existed.iter().map(code).collect();
            v5_0::Unsuback::builder().packet_id(id).reason_codes(codes).build()?.into()
        }
        _ => v3_1_1::Unsuback::builder().packet_id(id).build()?.into(),
    })
}
