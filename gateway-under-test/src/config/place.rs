//! A tag's place, written in one of two ways: as an address (`DB1.DBD4:REAL`), or part by part.

use s7_wire::{Address, Region};
use serde::{Deserialize, Deserializer, de};

use super::{Area, TagConfig, TagType};

const AREAS: &str = "DB, M, I and Q";
const TYPES: &str = "BOOL, BYTE, WORD, DWORD, INT, DINT and REAL";

/// A tag as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    name: String,
    #[serde(default, deserialize_with = "address")]
    address: Option<Place>,
    area: Option<Area>,
    db: Option<u32>,
    offset: Option<u32>,
    bit: Option<u8>,
    #[serde(rename = "type")]
    kind: Option<TagType>,
    #[serde(default)]
    writable: bool,
}

/// What an address says.
struct Place {
    area: Area,
    db: u32,
    offset: u32,
    bit: u8,
    kind: TagType,
}

impl TryFrom<Written> for TagConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let place = match written.parts_beside_the_address() {
            Some(part) => return Err(format!("`address` says it all: leave out `{part}`")),
            None => written.place()?,
        };
        let Place { area, db, offset, bit, kind } = place;
        Ok(Self { name: written.name, area, db, offset, bit, kind, writable: written.writable })
    }
}

impl Written {
    /// The first part that stands beside an address.
    fn parts_beside_the_address(&self) -> Option<&'static str> {
        self.address.as_ref()?;
        let parts = [
            ("area", self.area.is_some()),
            ("db", self.db.is_some()),
            ("offset", self.offset.is_some()),
            ("bit", self.bit.is_some()),
            ("type", self.kind.is_some()),
        ];
        parts.into_iter().find(|(_, written)| *written).map(|(part, _)| part)
    }

    fn place(&self) -> Result<Place, String> {
        if let Some(Place { area, db, offset, bit, kind }) = self.address {
            return Ok(Place { area, db, offset, bit, kind });
        }
        let missing =
            |part| format!("missing field `{part}`; or write the place as `address: DB1.DBD4:REAL`");
        Ok(Place {
            area: self.area.unwrap_or_default(),
            db: self.db.unwrap_or_default(),
            offset: self.offset.ok_or_else(|| missing("offset"))?,
            bit: self.bit.unwrap_or_default(),
            kind: self.kind.ok_or_else(|| missing("type"))?,
        })
    }
}

/// Reads an address here, so that an error points at its line and column.
fn address<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Place>, D::Error> {
    let text = String::deserialize(source)?;
    let address: Address = text.parse().map_err(de::Error::custom)?;
    place_of(&address).map(Some).map_err(de::Error::custom)
}

/// The place, if it is one that the gateway polls.
fn place_of(address: &Address) -> Result<Place, String> {
    let area = match address.region() {
        Region::Block(_) => Area::Db,
        Region::Merkers => Area::M,
        Region::Inputs => Area::I,
        Region::Outputs => Area::Q,
        _ => return Err(format!("address `{address}`: the gateway polls {AREAS}")),
    };
    let shape = address.shape();
    let value_type = shape.element.value_type().filter(|_| shape.count.is_none());
    let value_type = value_type.ok_or_else(|| {
        format!("address `{address}`: the gateway polls single values of {TYPES}, found {shape}")
    })?;
    let (db, offset, bit) = (u32::from(address.region().block()), address.start(), address.bit());
    Ok(Place { area, db, offset, bit, kind: TagType::of(value_type) })
}
