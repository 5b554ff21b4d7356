//! What a well-formed configuration must still satisfy.

use std::collections::BTreeSet;
use std::time::Duration;

use bytesize::ByteSize;

use super::{Area, MqttVersion, Secret, StationConfig, TagConfig, TagType, WhenFull};

type Checked = Result<(), garde::Error>;

/// Shorter than this, a period only burns the processor.
const PERIOD_MIN: Duration = Duration::from_millis(1);
/// Longer than this, a period is a typing error.
const PERIOD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub fn period(period: &Duration, _: &()) -> Checked {
    if (PERIOD_MIN..=PERIOD_MAX).contains(period) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be from 1ms to 24h, found {}", humantime::format_duration(*period))))
}

/// Less would not hold the three dumps of one breach.
const DUMP_BYTES_MIN: ByteSize = ByteSize::kib(64);

pub fn dump_bytes(size: &ByteSize, _: &()) -> Checked {
    if *size >= DUMP_BYTES_MIN {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be at least {DUMP_BYTES_MIN}, found {size}")))
}

pub fn host_port(address: &str, _: &()) -> Checked {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(()),
        _ => Err(garde::Error::new(format!("`{address}` is no `host:port`"))),
    }
}

pub fn one_token(in_file: bool) -> impl FnOnce(&Option<Secret>, &()) -> Checked {
    move |token, ()| {
        let Some(token) = token else { return Ok(()) };
        let why = if in_file { Some("give either `token` or `token_file`") } else { token.complaint() };
        why.map_or(Ok(()), |why| Err(garde::Error::new(why)))
    }
}

pub fn server_name(name: &str, _: &()) -> Checked {
    match rustls::pki_types::ServerName::try_from(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(garde::Error::new(format!("`{name}` is neither a host's name nor an IP address"))),
    }
}

pub fn not_after_max(max: Duration) -> impl FnOnce(&Duration, &()) -> Checked {
    move |min, ()| {
        if *min <= max {
            return Ok(());
        }
        Err(garde::Error::new("`min` must not be longer than `max`"))
    }
}

pub fn within_deadline(deadline: Duration) -> impl FnOnce(&Duration, &()) -> Checked {
    move |drain, ()| {
        if *drain < deadline {
            return Ok(());
        }
        Err(garde::Error::new("`drain` must be shorter than `deadline`, which includes it"))
    }
}

pub fn bit_of(kind: TagType) -> impl FnOnce(&u8, &()) -> Checked {
    move |bit, ()| {
        if *bit == 0 || kind == TagType::Bool {
            return Ok(());
        }
        Err(garde::Error::new("`bit` is only for type `bool`"))
    }
}

pub fn db_of(area: Area) -> impl FnOnce(&u32, &()) -> Checked {
    move |db, ()| match (area, *db) {
        (Area::Db, 0) => Err(garde::Error::new("area `db` needs a data block: set `db` to 1 or more")),
        (Area::Db, _) | (_, 0) => Ok(()),
        (Area::M | Area::I | Area::Q, _) => Err(garde::Error::new("`db` is only for area `db`")),
    }
}

pub fn one_password<T>(has_user: bool, has_file: bool) -> impl FnOnce(&Option<T>, &()) -> Checked {
    move |password, ()| match password {
        Some(_) if has_file => Err(garde::Error::new("either `password` or `password_file`, not both")),
        None if has_user && !has_file => {
            Err(garde::Error::new("a `username` needs a `password` or a `password_file`"))
        }
        _ => Ok(()),
    }
}

/// The longest keep-alive that fits MQTT's 16 bits of seconds, rounded to hours.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(18 * 60 * 60);

pub fn keep_alive(period: &Duration, _: &()) -> Checked {
    let whole = period.subsec_nanos() == 0;
    if whole && (Duration::from_secs(1)..=KEEP_ALIVE_MAX).contains(period) {
        return Ok(());
    }
    let found = humantime::format_duration(*period);
    Err(garde::Error::new(format!("must be from 1s to 18h in whole seconds, found {found}")))
}

pub fn credentials<T>(has_user: bool, has_other: bool) -> impl FnOnce(&Option<T>, &()) -> Checked {
    move |password, ()| match password {
        Some(_) if has_other => Err(garde::Error::new("either `password` or `password_file`, not both")),
        Some(_) if !has_user => Err(garde::Error::new("a password needs a `username`")),
        _ => Ok(()),
    }
}

pub fn one_sink<T>(has_collector: bool) -> impl FnOnce(&Option<T>, &()) -> Checked {
    move |file, ()| {
        if file.is_none() || !has_collector {
            return Ok(());
        }
        Err(garde::Error::new("either `file` or `collector`, not both"))
    }
}

pub fn drops(when_full: &WhenFull, _: &()) -> Checked {
    if matches!(when_full, WhenFull::DropOldest | WhenFull::DropNewest) {
        return Ok(());
    }
    let advice = "nobody may wait for it: `drop_oldest` or `drop_newest`";
    Err(garde::Error::new(advice))
}

pub fn only_in_5<T>(version: MqttVersion) -> impl FnOnce(&Option<T>, &()) -> Checked {
    move |setting, ()| {
        if setting.is_none() || version == MqttVersion::V5 {
            return Ok(());
        }
        Err(garde::Error::new("only in version 5: set `version: \"5\"`, or leave it out"))
    }
}

pub fn not_disconnect(when_full: &WhenFull, _: &()) -> Checked {
    if *when_full != WhenFull::Disconnect {
        return Ok(());
    }
    let advice = "a broker is not disconnected for being slow: `block`, `drop_oldest` or `drop_newest`";
    Err(garde::Error::new(advice))
}

#[cfg(feature = "defects")]
pub fn known_defect(name: &str, _: &()) -> Checked {
    let mut known = crate::defects::names();
    if known.any(|known| known == name) {
        return Ok(());
    }
    let names: Vec<_> = crate::defects::names().collect();
    Err(garde::Error::new(format!("no defect `{name}`; there are: {}", names.join(", "))))
}

pub fn distinct_stations(stations: &[StationConfig], _: &()) -> Checked {
    distinct(stations.iter().map(|station| station.name.as_str()), "station")
}

pub fn distinct_tags(tags: &[TagConfig], _: &()) -> Checked {
    distinct(tags.iter().map(|tag| tag.name.as_str()), "tag")
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> Checked {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(garde::Error::new(format!("the {what} `{name}` stands here twice")));
        }
    }
    Ok(())
}
